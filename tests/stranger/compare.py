"""Somebody else's module, in a project that uses none of ours."""


def same(left, right):
    return left == right
