"""All public functions of the core, found in the package itself, so that none can be forgotten."""

import importlib
import inspect
import pkgutil

import decolle_ref

ROOMS = ("decolle", "credit", "spikegrad", "fast")
# not public, as their rooms say
PARTS = (
    "fast.conv",
    "fast.karatsuba",
    "fast.layer_buffers",
    "fast.memory",
    "fast.pool",
    "fast.spikegrad_layer",
    "fast.spikes",
    "credit.audit.template",
)
PARTS += ("fast.dense", "fast.dense_constants", "fast.dense_layers", "fast.dense_parameters", "fast.dense_update")
PARTS += ("fast.in_place", "fast.regularisers")
PARTS += ("fast.event_driven", "fast.traces")
MODULES = ("gradcheck", "data.encode")


def modules():
    """Every module of the rooms that is not private, and the two that stand alone."""
    names = list(MODULES)
    for room in ROOMS:
        package = importlib.import_module(f"decolle_ref.{room}")
        names += [
            m.name.removeprefix("decolle_ref.") for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        ]
    return {name: importlib.import_module(f"decolle_ref.{name}") for name in names if name not in PARTS}


def public(name, module):
    """The public names that a module defines itself: those of its `__all__`, or else without an underscore."""
    names = getattr(module, "__all__", None) or [x for x in vars(module) if not x.startswith("_")]
    defined = {x: getattr(module, x, None) for x in names}
    return {x: f for x, f in defined.items() if getattr(f, "__module__", "") == f"decolle_ref.{name}"}


def functions():
    """Name in the package -> function, of all public functions, and of all public methods of public classes."""
    found = {}
    for name, module in modules().items():
        for x, value in public(name, module).items():
            if inspect.isfunction(value):
                found[f"{name}.{x}"] = value
            elif inspect.isclass(value):
                methods = [f for m, f in vars(value).items() if not m.startswith("_") and inspect.isfunction(f)]
                found |= {f"{name}.{f.__qualname__}": f for f in methods if f.__qualname__.startswith(f"{x}.")}
    return found


def says_what_it_assumes(name) -> bool:
    """Is there a sentence about it in the docstring of the function, of its class, or of its module?"""
    places, owner = [decolle_ref], decolle_ref
    for part in name.split("."):
        owner = getattr(owner, part) if hasattr(owner, part) else importlib.import_module(f"{owner.__name__}.{part}")
        places.append(owner)
    return any("ssume" in (inspect.getdoc(place) or "") for place in places[-4:])
