"""The built-in plugins, which come through the same door as anyone's: the entry-point group `rrgate`.

Belongs here: the list of them. Each lives in a file of its own, imports of rrgate only `rrgate.api`, and may be copied
to begin a new one. What two of them share is a module here too (merging.py).
"""

import os

from rrgate.api import Plugin, hookimpl
from rrgate_plugins.allowed_networks import AllowedNetworks
from rrgate_plugins.anonymous_callers import AnonymousCallers
from rrgate_plugins.api_key import ApiKey
from rrgate_plugins.attempt_header import AttemptHeader
from rrgate_plugins.aws_sigv4 import AwsSigV4
from rrgate_plugins.backoff import Backoff
from rrgate_plugins.basic_auth import BasicAuth
from rrgate_plugins.bearer import Bearer
from rrgate_plugins.cors import Cors
from rrgate_plugins.custom import Custom
from rrgate_plugins.custom_token import CustomToken
from rrgate_plugins.data_injection import DataInjection
from rrgate_plugins.filters import AnswerFilters
from rrgate_plugins.header_injection import HeaderInjection
from rrgate_plugins.hmac_signature import Hmac
from rrgate_plugins.jwt_verify import JwtVerify
from rrgate_plugins.limits import AnswerMeters, Limits
from rrgate_plugins.no_credential import NoCredential
from rrgate_plugins.oauth2 import OAuth2
from rrgate_plugins.query_injection import QueryInjection
from rrgate_plugins.request_size import RequestSize
from rrgate_plugins.response_size import ResponseSize
from rrgate_plugins.rules import RuleChecks
from rrgate_plugins.stored_jwt import StoredJwt
from rrgate_plugins.tracing import tracing_plugins


@hookimpl
def rrgate_plugins() -> list[type[Plugin]]:
    return [
        ApiKey,
        Bearer,
        BasicAuth,
        StoredJwt,
        JwtVerify,
        Custom,
        AwsSigV4,
        Hmac,
        OAuth2,
        CustomToken,
        NoCredential,
        AnonymousCallers,
        AllowedNetworks,
        AttemptHeader,
        Cors,
        DataInjection,
        HeaderInjection,
        Limits,
        AnswerMeters,
        QueryInjection,
        RequestSize,
        ResponseSize,
        Backoff,
        RuleChecks,
        AnswerFilters,
        *tracing_plugins(os.environ),
    ]
