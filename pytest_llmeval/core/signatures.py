"""What callables take, whatever their annotations name."""

import functools
import inspect
import sys

__all__ = ["signature_of"]

if sys.version_info >= (3, 14):
    from annotationlib import Format

    # Python evaluates annotations when they are asked for. Under TYPE_CHECKING they may name what is imported nowhere.
    signature_of = functools.partial(inspect.signature, annotation_format=Format.STRING)
else:
    signature_of = inspect.signature
