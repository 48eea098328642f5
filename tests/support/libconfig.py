"""Writes a dict as libconfig text: dict = group, list of dicts = list, other list = array."""


def to_libconfig(settings):
    return "".join(f"{name} = {_value(value)};\n" for name, value in settings.items())


def merge(base, overrides):
    """base with overrides put over it, group by group; neither is changed. A list replaces a list,
    None removes the setting."""
    merged = dict(base)
    for name, value in overrides.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def _value(value):
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if -(2**31) <= value < 2**31 else f"{value}L"
        case float():
            return repr(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '"'
        case dict():
            return "{ " + " ".join(f"{k} = {_value(v)};" for k, v in value.items()) + " }"
        case [dict(), *_]:
            return "( " + ", ".join(_value(v) for v in value) + " )"
        case list() | tuple():
            return "[ " + ", ".join(_value(v) for v in value) + " ]"
    raise TypeError(f"libconfig has no {type(value).__name__}")
