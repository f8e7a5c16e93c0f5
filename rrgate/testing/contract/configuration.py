"""Promises about configurations: a good one is read, and a bad one is refused with its field and without its values.

Belongs here: what is asked of `Config` and `for_proxy` without any request. Does not: what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from rrgate.api import ConfigError, Parts
from rrgate.configuring import configure, without_secrets
from rrgate.model.documents import read_new
from rrgate.model.proxy import Proxy
from rrgate.model.published import published_fields
from rrgate.testing.canary import Canary
from rrgate.testing.contract.samples import Samples
from rrgate.testing.contract.trial import Trial
from rrgate.testing.gateway import MemoryGateway
from rrgate.testing.installed import registry_with
from rrgate.testing.stand_in import NOBODY, STAND_IN


def loads(samples: Samples) -> Iterator[str]:
    """Its class declares what a gateway needs to know of it."""
    try:
        registry_with([samples.plugin], installed=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, it would stop a start
        yield str(error)


def is_read(samples: Samples) -> Iterator[str]:
    """The good configuration is taken, and an object is made of it."""
    problems = list(_config_is_read(samples)) if samples.where else []
    yield from problems
    for side in () if problems else samples.sides:
        try:
            Trial(samples, side)
        except ConfigError as error:
            yield str(error)
            return


def _config_is_read(samples: Samples) -> Iterator[str]:
    plugin = samples.plugin
    try:
        configure(plugin.Config, dict(samples.config), samples.where)
    except ConfigError as error:
        yield f"the sample `config` is refused: {error}"
        return
    # A plugin may have secrets that not every configuration of it has.
    given = without_secrets(plugin.Config, samples.config) != samples.config
    if given and not any(True for _ in samples.configured_secrets()):
        yield "the sample `config` has no secret of 16 characters or more: a shorter one cannot be looked for"


def is_refused(samples: Samples) -> Iterator[str]:
    """Each bad configuration is refused when it is saved; the error names the field, and holds no value."""
    if not samples.where:
        for field, settings in samples.bad_configs:
            yield from _refused_settings(samples, field, settings)
        return
    takes_something = any(attribute.init for attribute in attrs.fields(samples.plugin.Config))
    if takes_something and not samples.bad_configs:
        yield "give `bad_configs`: (field, configuration) for each way in which one can be wrong"
    for field, config in samples.bad_configs:
        problem = _problem_of(samples, config)
        if problem is None:
            yield f"a configuration with a bad `{field}` is accepted: Config itself must refuse it, with ConfigError"
            continue
        named = [each.field for each in problem.problems]
        wanted = f"{samples.where}.{field}"
        if wanted not in named:
            yield f"a bad `{field}` is refused as a problem of {', '.join(named)}: it must name {wanted}"
        canary = Canary()
        for name, value in config.items():
            if isinstance(value, str) and len(value) >= 16:
                canary.know(name, value)
        yield from _values_in(canary, problem)
    for name, value in samples.config.items():
        if isinstance(value, str):
            for odd in _odd(canary := Canary()):
                problem = _problem_of(samples, {**samples.config, name: odd})
                if problem is not None:
                    yield from _values_in(canary, problem)


def _problem_of(samples: Samples, config: Mapping[str, Any]) -> ConfigError | None:
    try:
        configure(samples.plugin.Config, dict(config), samples.where)
    except ConfigError as error:
        return error
    return None


def _odd(canary: Canary) -> list[Any]:
    """Values that many configurations refuse, each with a secret in it."""
    made = canary.secret("a refused value")
    return [f"{made}\r\n", f" {made} ", f"é{made}", f"{made}:{made}", made * 300, [made], {"value": made}, f"\0{made}"]


def _values_in(canary: Canary, error: ConfigError) -> Iterator[str]:
    canary.add("the error", f"{error} {error!r} {error.problems!r}")
    if canary.findings():
        fields = ", ".join(each.field for each in error.problems)
        yield f"the error about {fields} holds the value that it refuses: say what would be right instead"


def _refused_settings(samples: Samples, field: str, settings: Mapping[str, Any]) -> Iterator[str]:
    try:
        parts = parts_with(samples, settings)
        samples.plugin.for_proxy(parts)
    except ConfigError as error:
        named = [each.field for each in error.problems]
        if not any(name == field or name.startswith(f"{field}.") for name in named):
            yield f"bad settings are refused as a problem of {', '.join(named)}: it must name {field}"
        canary = Canary()
        for value in _texts(settings):
            if len(value) >= 16:
                canary.know("a value", value)
        yield from _values_in(canary, error)
    except Exception as error:  # noqa: BLE001 - anything else is told of as a fault of the plugin's
        yield f"for_proxy raised {type(error).__name__} for bad settings: it must raise ConfigError"
    else:
        yield f"bad settings of `{field}` are accepted: for_proxy must refuse them, with ConfigError"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def parts_with(samples: Samples, settings: Mapping[str, Any]) -> Parts:
    """A proxy with these settings, and what it joins. Raises ConfigError for settings that have not their form."""
    gateway = MemoryGateway(installed=False, allow_anonymous_proxies=samples.anonymous)
    plain = gateway.proxy(caller=(NOBODY if samples.anonymous else STAND_IN, {}))
    document = {
        "proxyName": plain.name,
        "proxyRegion": plain.region,
        "proxyProxyCredentialId": plain.proxy_credential_id,
        "proxyTargetId": plain.target_id,
        "proxyTargetCredentialId": plain.target_credential_id,
        **settings,
    }
    proxy = attrs.evolve(plain, **read_new(Proxy, document))
    if settings is samples.settings:
        for rule in samples.rules:
            gateway.rule(proxy, rule)
        for each in samples.filters:
            gateway.filter(proxy, each)
        for meter in samples.meters:
            gateway.meter(proxy, meter)
    parts = gateway.directory.parts(proxy)
    assert parts is not None
    return parts


def works_where_it_should(samples: Samples) -> Iterator[str]:
    """`for_proxy` takes the sample settings, says the same twice, and leaves proxies alone that do not set them."""
    plugin = samples.plugin
    if samples.where:
        return
    unserved = [name for name in samples.settings if _by_plugin(name) and name not in plugin.serves]
    if unserved:
        yield f"it works by {', '.join(unserved)} but does not declare that in `serves`: the Core API would refuse it"
    for what, settings in (("the sample `settings`", samples.settings), ("a proxy without settings", {})):
        try:
            parts = parts_with(samples, settings)
            config, again = plugin.for_proxy(parts), plugin.for_proxy(parts)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be raised for these
            text = f": {error}" if isinstance(error, ConfigError) else ""
            yield f"for_proxy raised {type(error).__name__} for {what}{text}"
            continue
        if config is not None and not isinstance(config, plugin.Config):
            yield f"for_proxy answered a {type(config).__name__} for {what}: it must answer its Config or None"
        if config is None and settings is samples.settings:
            yield "for_proxy answered None for the sample `settings`: give settings with which it works"
        if config != again:
            yield f"for_proxy answered two different things for {what}"


def _by_plugin(name: str) -> bool:
    return any(known.by_plugin for known in published_fields(Proxy) if known.name == name)
