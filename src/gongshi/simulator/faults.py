"""How a simulated platform can be told to break the standard: switches, all off, that may change while it runs."""

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """Switches that may be changed while the platform runs; all off by default."""

    # registration and keepalive
    wrong_password: bool = False
    same_cseq: bool = False
    """Repeat the CSeq when answering a challenge."""
    ignore_stale: bool = False
    """Give up when a challenge says that the nonce is stale."""
    wrong_username: bool = False
    """Name another device in the credentials."""
    no_version: bool = False
    """Leave X-GB-Ver out although it is a 2022 device."""
    short_expires: int = 0
    """Ask for so many seconds."""
    no_refresh: bool = False
    ignore_redirect: bool = False
    drop_keepalives: bool = False
    keepalive_of_another: bool = False
    """Name another device in the keepalive's body."""
    keepalive_without_status: bool = False
    keepalive_refusal_ignored: bool = False
    keepalive_silence_ignored: bool = False
    clock_utc: bool = False
    """Tell the time of UTC where Beijing time belongs (Q-37)."""
    # messages
    no_ok: bool = False
    """Leave MESSAGE without its 200."""
    accept_garbage: bool = False
    no_replay: bool = False
    """Take a repeated request for a new one."""
    no_options: bool = False
    bye_always_ok: bool = False
    accept_any_method: bool = False
    mislabelled_charset: bool = False
    """Send UTF-8 under a GB label (Q-24)."""
    wrong_sn: bool = False
    stranger_answered: bool = False
    """Answer queries about devices that are not here."""
    # catalogue
    catalog_out_of_order: bool = False
    catalog_duplicates: bool = False
    """Send every second catalogue packet twice."""
    catalog_missing: int = 0
    """Keep back this many packets at the end, so that SumNum is never reached."""
    catalog_wrong_sum: int = 0
    """Added to SumNum."""
    catalog_wrong_num: bool = False
    """Num is not the number of items in the packet."""
    catalog_wrong_device: bool = False
    """Name another device than the one asked about."""
    catalog_no_name: bool = False
    catalog_bad_status: bool = False
    catalog_lost_parent: bool = False
    """Name a parent that is not in the catalogue."""
    catalog_at_once: bool = False
    """Send every packet without waiting for the answer to the one before."""
    catalog_region_ignored: bool = False
    # queries and controls
    unanswered: tuple[str, ...] = ()
    """CmdTypes of queries, in lower case, that get no answering message."""
    info_without_result: bool = False
    status_without_online: bool = False
    records_outside: bool = False
    """Answer with recordings that lie outside the time asked."""
    records_wrong_sum: bool = False
    config_first_only: bool = False
    """Answer only the first of several configuration types."""
    presets_forgotten: bool = False
    ptz_answered: bool = False
    """Answer a command that wants no answer."""
    ptz_ignored: bool = False
    ptz_never_stops: bool = False
    precise_ignored: bool = False
    home_ignored: bool = False
    silent_commands: tuple[str, ...] = ()
    """Groups of commands that are left without the answer that they want: guard, record, alarm_reset."""
    config_silent: bool = False
    snapshot_silent: bool = False
    boot_ignored: bool = False
    boot_abrupt: bool = False
    """Restart without leaving first."""
    # pictures
    refuse_invite: int | None = None
    """Answer every INVITE with this status."""
    unknown_channel_ok: bool = False
    """Take INVITEs for channels that are not here."""
    no_ssrc: bool = False
    """Leave y= out of the answer."""
    wrong_ssrc: bool = False
    wrong_direction: bool = False
    no_tcp_media: str = ""
    """Never connect (`active`), or never listen (`passive`)."""
    wrong_setup: bool = False
    """Name the same role in opening the connection as the offer."""
    no_contact: bool = False
    no_rtp: bool = False
    before_ack: bool = False
    """Send pictures before the ACK."""
    after_bye: bool = False
    """Go on sending after BYE."""
    ok_once: bool = False
    """Do not repeat the 200 of an INVITE."""
    cancel_ignored: bool = False
    keep_replaced: bool = False
    """Keep an old link when the same Subject comes again."""
    wrong_payload: bool = False
    no_key_frame: bool = False
    """Begin with a picture that nobody can decode."""
    same_timestamp: bool = False
    loss: float = 0.0
    """Share of RTP packets that are not sent, 0..1."""
    reorder: float = 0.0
    """Share of RTP packets that are sent after the one behind them, 0..1."""
    # recordings
    refuse_playback: bool = False
    pause_ignored: bool = False
    scale_ignored: bool = False
    seek_ignored: bool = False
    no_media_status: bool = False
    media_status_outside: bool = False
    """Tell the end of a recording outside its dialog."""
    no_download: bool = False
    no_filesize: bool = False
    # subscriptions, alarms, voice
    refused_subscriptions: tuple[str, ...] = ()
    """CmdTypes, in lower case, that cannot be subscribed to."""
    no_notify: bool = False
    refresh_refused: bool = False
    unsubscribe_ignored: bool = False
    notify_wrong_sum: bool = False
    position_silent: bool = False
    alarm_without_priority: bool = False
    no_alarms: bool = False
    broadcast_silent: bool = False
    """Take a broadcast without an answer."""
    broadcast_no_invite: bool = False
    broadcast_wrong_direction: bool = False
