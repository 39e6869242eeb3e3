"""Somebody else's module, and not NumPy."""


def array(*numbers):
    return list(numbers)
