"""Faulty kernels for the battery. Each has one fault and is otherwise right."""

import os
import signal
from dataclasses import replace

import numpy as np

from compare.battery.inputs import one_mask
from compare.battery.kernels.numpy_attention import Reference
from compare.battery.kernels.registry import KernelSpec
from compare.battery.unsupported import Unsupported
from tests.helpers.hanging import hang


class Crashes(Reference):
    """Crashes its process if the case has a soft cap."""

    def attend(self, inputs):
        if inputs.softcap:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().attend(inputs)


class Hangs(Reference):
    def attend(self, inputs):
        if inputs.softcap:
            hang()
        return super().attend(inputs)


class Raises(Reference):
    def attend(self, inputs):
        raise RuntimeError("no kernel\nfor this")


class WrongShape(Reference):
    def attend(self, inputs):
        return super().attend(inputs)[..., :-1]


class ScaleOff(Reference):
    """Its scale is 1 % too large."""

    def attend(self, inputs):
        scale = inputs.query.shape[-1] ** -0.5 if inputs.scale is None else inputs.scale
        return super().attend(replace(inputs, scale=1.01 * scale))


class MaskShifted(Reference):
    """Its mask is one key too far to the right."""

    def attend(self, inputs):
        mask = one_mask(inputs)
        return super().attend(inputs if mask is None else replace(inputs, causal=False, mask=np.roll(mask, 1, axis=-1)))


class Uniform(Reference):
    """Gives the mean of all values in rows that see no key, and 0 instead of NaN."""

    def attend(self, inputs):
        context = super().attend(inputs).copy()
        mean = np.broadcast_to(inputs.value.mean(axis=2, keepdims=True), context.shape)
        return np.nan_to_num(np.where((context == 0).all(axis=-1, keepdims=True), mean, context))


class NanEverywhere(Reference):
    """Gives NaN in the whole context if the mask has a NaN."""

    def attend(self, inputs):
        context = super().attend(inputs)
        return np.full_like(context, np.nan) if np.isnan(context).any() else context


class NoCausal(Reference):
    def attend(self, inputs):
        if inputs.causal:
            raise Unsupported("no causality")
        return super().attend(inputs)


def planted(kind: type) -> KernelSpec:
    """Return the spec of a planted kernel."""
    return KernelSpec(kind.__name__.lower(), f"{__name__}:{kind.__name__}", "planted", ("numpy",), "")


ABSENT = KernelSpec("absent", "nowhere:Nothing", "not installed", ("no_such_package_9",), "pip install absent")
