"""Commands of DeviceControl carried out on the simulated site (§8.1); a Response only where the standard has one."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import Envelope, Result
from gongshi.protocols.manscdp.control import (
    AlarmReset,
    DeviceControl,
    DragZoom,
    FormatCard,
    Guard,
    KeyFrame,
    PrecisePtz,
    PtzControl,
    Record,
    SetHomePosition,
    TeleBoot,
    Upgrade,
)
from gongshi.protocols.manscdp.notifies import UpgradeResult
from gongshi.protocols.ptz import Move, Preset, Stop
from gongshi.simulator.calls import Calls
from gongshi.simulator.device import Camera
from gongshi.simulator.registration import Registration
from gongshi.simulator.site import Site

log = structlog.get_logger(__name__)

Tell = Callable[[bytes], Awaitable[None]]
"""Sends a body to the server in a MESSAGE of its own."""


class Controls:
    """Changes the site. `tell` sends what follows of the device's own accord."""

    def __init__(
        self, site: Site, calls: Calls, registration: Registration, tell: Tell, moved: Callable[[str], None]
    ) -> None:
        self._site = site
        self._calls = calls
        self._registration = registration
        self._tell = tell
        self._moved = moved

    def obey(self, envelope: Envelope) -> list[bytes]:
        """Carry a command out; the body of its answer, if it has one."""
        site, faults = self._site, self._site.config.faults
        try:
            control = DeviceControl.parse(envelope)
            done = self._do(control)
        except RemoteProtocolError as error:
            log.warning("simulator.control.unknown", error=str(error))
            return []
        answered = control.answered and control.group not in faults.silent_commands
        if faults.ptz_answered and isinstance(control.command, PtzControl):
            answered = True
        if not answered:
            return []
        sn = control.sn + 1 if faults.wrong_sn else control.sn
        return [Result("DeviceControl", control.device_id, sn, done).to_bytes(site.edition)]

    def _do(self, control: DeviceControl) -> bool:
        code, command = control.device_id, control.command
        camera = self._site.cameras.get(code) or next(iter(self._site.cameras.values()), Camera())
        match command:
            case PtzControl():
                self._steer(camera, command)
            case DragZoom():
                window, box = (command.length, command.width), (command.length_x, command.length_y)
                camera.drag(*window, (command.mid_x, command.mid_y), box, closer=command.zoom_in)
            case PrecisePtz() if self._site.config.faults.precise_ignored:
                return True
            case PrecisePtz():
                camera.look(pan=command.pan, tilt=command.tilt, zoom=command.zoom)
            case KeyFrame():
                self._calls.refresh(code)
            case Record():
                camera.recording = command.on
            case Guard():
                camera.guarded = self._site.guarded = command.on
            case AlarmReset():
                camera.alarmed = False
            case SetHomePosition() if self._site.config.faults.home_ignored:
                return True
            case SetHomePosition():
                home = command.position
                camera.home.enabled = home.enabled
                camera.home.reset = home.reset_time or camera.home.reset
                camera.home.preset = camera.home.preset if home.preset is None else home.preset
            case TeleBoot():
                self._calls.spawn(self._boot())
            case FormatCard():
                cards = [c for c in self._site.cards if command.number in {0, c.number}]
                self._site.cards = [replace(c, free=c.capacity) if c in cards else c for c in self._site.cards]
            case Upgrade():
                self._calls.spawn(self._upgrade(code, command))
            case _:
                log.info("simulator.control.refused", command=type(command).__name__)
                return False
        if control.group == "ptz":
            self._moved(code)
        return True

    def _steer(self, camera: Camera, control: PtzControl) -> None:
        faults, command = self._site.config.faults, control.command
        if faults.ptz_ignored and isinstance(command, Move):
            return
        if faults.ptz_never_stops and isinstance(command, Stop):
            return
        if faults.presets_forgotten and isinstance(command, Preset):
            return
        camera.obey(command)
        if isinstance(command, Preset) and command.action == "set" and control.preset_name:
            camera.presets[command.number] = (control.preset_name, camera.presets[command.number][1])

    async def _boot(self) -> None:
        faults = self._site.config.faults
        if faults.boot_ignored:
            return
        await self._calls.hang_up_all()
        if faults.boot_abrupt:
            self._registration.renew()
        else:
            await self._registration.reboot()

    async def _upgrade(self, code: str, order: Upgrade) -> None:
        """A new version is in force after a restart, and told after the registration that follows it (2022 §9.13)."""
        await self._boot()
        await self._registration.registered.wait()
        self._site.firmware = order.firmware
        result = UpgradeResult(code, self._site.next_serial(), order.session_id, True, order.firmware)
        await self._tell(result.to_bytes(self._site.edition))
