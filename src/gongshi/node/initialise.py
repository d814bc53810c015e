"""`gongshi init`: a configuration file that says every important thing, and fresh keys beside it."""

import json
from pathlib import Path

from gongshi.config import Settings
from gongshi.kit.errors import Conflict
from gongshi.kit.i18n import Text
from gongshi.node.runtime import Runtime

_TEMPLATE = """\
# Gongshi 共视. Every key can be overridden by the environment: GONGSHI_SECTION__KEY.
# 每一项都可以用环境变量覆盖：GONGSHI_SECTION__KEY。
data = {data}

[node]                      # this platform of the guideline 本平台
code = {code}               # 20 digits, type 200
name = {name}
name_en = {name_en}
kind = "general"            # integration | police | general | industry
level = "city"              # province | city | county
domain = "egov"             # integration | video | egov | industry | internet
region = "341500"           # GB/T 2260

[database]                  # leave empty for the embedded PostgreSQL 留空则使用内置 PostgreSQL
# url_file = "/run/secrets/database-url"
# owner_url_file = "/run/secrets/database-owner-url"

[web]
host = {web_host}
port = {web_port}
# secure_cookie = true      # behind TLS, see deploy/

[sip]                       # GB/T 28181
host = {sip_host}
port = {sip_port}
# advertise = "10.1.1.10"
transports = ["udp", "tcp"]

[media]
workers = {workers}
host = {media_host}
rtp_ports = {rtp_ports}
{origins}
[audit]
algorithm = "sha256"        # or sm3
# witnesses = ["/mnt/other-machine"]   # directories 目录

[log]
level = "info"
"""


def write_configuration(file: Path, settings: Settings) -> None:
    """Write the settings as a commented file (mode 0600); an existing file is never overwritten."""
    if file.exists():
        raise Conflict(
            Text(f"{file} 已存在，未做任何改动", f"{file} exists already; nothing was changed"),
            code="already_initialised",
        )
    # Keys first: a data directory that cannot be made must not leave a configuration that names it.
    Runtime.of(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(render(settings), encoding="utf-8")


def render(settings: Settings) -> str:
    """The settings as the text of a configuration file."""
    return _TEMPLATE.format(
        data=_string(str(settings.data)),
        code=_string(settings.node.code),
        name=_string(settings.node.name),
        name_en=_string(settings.node.name_en),
        web_host=_string(settings.web.host),
        web_port=settings.web.port,
        sip_host=_string(settings.sip.host),
        sip_port=settings.sip.port,
        workers=settings.media.workers,
        media_host=_string(settings.media.host),
        rtp_ports=_string(settings.media.rtp_ports),
        origins=f"http_port = {settings.media.http_port}\n" if settings.media.http_port else "",
    )


def _string(value: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(value, ensure_ascii=False)
