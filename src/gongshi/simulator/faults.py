"""How a simulated platform can be told to break the standard: switches, all off, that may change while it runs.

`NAMED` is the list of deliberate variants by name, each with the case of `gongshi conform` that must find it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gongshi.kit.i18n import Text


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
    refuse_live: bool = False
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
    no_udp: bool = False
    """Send no live pictures by datagram."""
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
    """Share of RTP packets behind the first picture that are not sent, 0..1."""
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


@dataclass(frozen=True, slots=True)
class Named:
    """A deliberate variant. `found_by` is the case of `gongshi conform` that must fail, and no other."""

    name: str
    title: Text
    settings: Mapping[str, Any]
    found_by: str
    edition: Literal["2016", "2022"] = "2016"
    """Of the device that has it."""

    def faults(self) -> Faults:
        """The switches."""
        return Faults(**self.settings)


NAMED = (
    Named(
        "wrong_password",
        Text("用错误口令应答质询", "answers the challenge with another password"),
        {"wrong_password": True},
        "REG-04",
    ),
    Named(
        "wrong_username",
        Text("认证用户名不是本设备编码", "names another device in the credentials"),
        {"wrong_username": True},
        "REG-04",
    ),
    Named(
        "same_cseq",
        Text("应答质询时 CSeq 不递增", "repeats CSeq when it answers the challenge"),
        {"same_cseq": True},
        "REG-03",
    ),
    Named("ignore_stale", Text("不理会 stale 质询", "gives up at a stale nonce"), {"ignore_stale": True}, "REG-05"),
    Named(
        "no_version",
        Text("2022 版设备不带 X-GB-Ver", "a 2022 device without X-GB-Ver"),
        {"no_version": True},
        "REG-06",
        edition="2022",
    ),
    Named("short_expires", Text("有效期小于 3600 秒", "asks for 600 seconds"), {"short_expires": 600}, "REG-07"),
    Named("no_refresh", Text("到期不刷新注册", "does not refresh its registration"), {"no_refresh": True}, "REG-08"),
    Named("drop_keepalives", Text("不发心跳", "sends no keepalive"), {"drop_keepalives": True}, "KEEP-01"),
    Named(
        "keepalive_of_another",
        Text("心跳的 DeviceID 错误", "keepalive of another device"),
        {"keepalive_of_another": True},
        "KEEP-02",
    ),
    Named(
        "keepalive_without_status",
        Text("心跳缺少 Status", "keepalive without Status"),
        {"keepalive_without_status": True},
        "KEEP-03",
    ),
    Named(
        "keepalive_refusal_ignored",
        Text("心跳被拒绝后不重新注册", "ignores a refused keepalive"),
        {"keepalive_refusal_ignored": True},
        "KEEP-04",
    ),
    Named(
        "keepalive_silence_ignored",
        Text("心跳无应答仍认为在线", "ignores unanswered keepalives"),
        {"keepalive_silence_ignored": True},
        "KEEP-05",
    ),
    Named("no_ok", Text("不应答 MESSAGE", "leaves MESSAGE without 200"), {"no_ok": True}, "MSG-01"),
    Named(
        "accept_garbage",
        Text("对无法解析的正文应答 200", "answers garbage with 200"),
        {"accept_garbage": True},
        "MSG-02",
    ),
    Named(
        "stranger_answered",
        Text("应答不存在设备的查询", "answers queries about strangers"),
        {"stranger_answered": True},
        "MSG-03",
    ),
    Named("wrong_sn", Text("应答的 SN 错误", "answers with another SN"), {"wrong_sn": True}, "MSG-04"),
    Named("no_replay", Text("重发的请求重复处理", "works on a repeated request again"), {"no_replay": True}, "TRN-01"),
    Named("no_options", Text("不支持 OPTIONS", "does not know OPTIONS"), {"no_options": True}, "TRN-02"),
    Named(
        "bye_always_ok", Text("对话外的 BYE 应答 200", "answers every BYE with 200"), {"bye_always_ok": True}, "TRN-03"
    ),
    Named(
        "accept_any_method",
        Text("未知方法应答 200", "answers unknown methods with 200"),
        {"accept_any_method": True},
        "TRN-04",
    ),
    Named("catalog_wrong_sum", Text("SumNum 大于实际", "SumNum is too large"), {"catalog_wrong_sum": 1}, "CAT-02"),
    Named(
        "catalog_missing", Text("缺少最后一个目录包", "keeps the last packet back"), {"catalog_missing": 1}, "CAT-02"
    ),
    Named(
        "catalog_wrong_device",
        Text("目录应答的 DeviceID 错误", "answers for another device"),
        {"catalog_wrong_device": True},
        "CAT-03",
    ),
    Named(
        "catalog_wrong_num",
        Text("Num 与项数不符", "Num is not the number of items"),
        {"catalog_wrong_num": True},
        "CAT-04",
    ),
    Named("catalog_no_name", Text("目录项缺少名称", "items without a name"), {"catalog_no_name": True}, "CAT-05"),
    Named(
        "catalog_bad_status",
        Text("状态不是 ON 或 OFF", "another word for the status"),
        {"catalog_bad_status": True},
        "CAT-06",
    ),
    Named(
        "catalog_lost_parent",
        Text("上级编码不存在", "a parent that is not there"),
        {"catalog_lost_parent": True},
        "CAT-07",
    ),
    Named("catalog_duplicates", Text("目录包重复发送", "sends packets twice"), {"catalog_duplicates": True}, "CAT-08"),
    Named(
        "catalog_at_once", Text("不等 200 连续发包", "sends all packets at once"), {"catalog_at_once": True}, "CAT-09"
    ),
    Named(
        "catalog_region_ignored",
        Text("不理会查询的区划", "ignores the region asked about"),
        {"catalog_region_ignored": True},
        "CAT-10",
    ),
    Named(
        "mislabelled_charset",
        Text("正文为 UTF-8 却声明 GB2312", "UTF-8 under a GB label"),
        {"mislabelled_charset": True},
        "CHR-01",
    ),
    Named(
        "no_device_info", Text("不应答设备信息", "no answer to DeviceInfo"), {"unanswered": ("deviceinfo",)}, "QRY-01"
    ),
    Named(
        "info_without_result",
        Text("设备信息缺少 Result", "DeviceInfo without Result"),
        {"info_without_result": True},
        "QRY-02",
    ),
    Named(
        "no_device_status",
        Text("不应答设备状态", "no answer to DeviceStatus"),
        {"unanswered": ("devicestatus",)},
        "QRY-03",
    ),
    Named(
        "status_without_online",
        Text("设备状态缺少 Online", "DeviceStatus without Online"),
        {"status_without_online": True},
        "QRY-03",
    ),
    Named("clock_utc", Text("时钟为世界时", "the clock shows UTC"), {"clock_utc": True}, "QRY-04"),
    Named(
        "no_configuration",
        Text("不应答配置查询", "no answer to ConfigDownload"),
        {"unanswered": ("configdownload",)},
        "QRY-05",
    ),
    Named(
        "config_first_only",
        Text("多种配置只应答一种", "answers the first of several settings"),
        {"config_first_only": True},
        "QRY-06",
    ),
    Named(
        "no_presets", Text("不应答预置位查询", "no answer to PresetQuery"), {"unanswered": ("presetquery",)}, "QRY-07"
    ),
    Named(
        "no_home_position",
        Text("不应答看守位查询", "no answer to HomePositionQuery"),
        {"unanswered": ("homepositionquery",)},
        "QRY-08",
        edition="2022",
    ),
    Named(
        "no_cruise_tracks",
        Text("不应答巡航轨迹查询", "no answer to CruiseTrackListQuery"),
        {"unanswered": ("cruisetracklistquery",)},
        "QRY-09",
        edition="2022",
    ),
    Named(
        "no_ptz_position",
        Text("不应答 PTZ 状态查询", "no answer to PTZPosition"),
        {"unanswered": ("ptzposition",)},
        "QRY-10",
        edition="2022",
    ),
    Named(
        "no_sd_cards",
        Text("不应答存储卡查询", "no answer to SDCardStatus"),
        {"unanswered": ("sdcardstatus",)},
        "QRY-11",
        edition="2022",
    ),
    Named("guard_silent", Text("布防不应答", "no answer to GuardCmd"), {"silent_commands": ("guard",)}, "CTL-01"),
    Named(
        "record_silent", Text("录像控制不应答", "no answer to RecordCmd"), {"silent_commands": ("record",)}, "CTL-02"
    ),
    Named(
        "reset_silent", Text("报警复位不应答", "no answer to AlarmCmd"), {"silent_commands": ("alarm_reset",)}, "CTL-03"
    ),
    Named("ptz_answered", Text("云台命令多余应答", "answers a PTZ command"), {"ptz_answered": True}, "CTL-04"),
    Named("config_silent", Text("配置不应答", "no answer to DeviceConfig"), {"config_silent": True}, "CTL-05"),
    Named(
        "home_ignored",
        Text("看守位设置无效", "does not take a home position over"),
        {"home_ignored": True},
        "CTL-06",
        edition="2022",
    ),
    Named("ptz_ignored", Text("云台不动", "does not turn"), {"ptz_ignored": True}, "PTZ-01", edition="2022"),
    Named("ptz_never_stops", Text("云台不停", "does not stop"), {"ptz_never_stops": True}, "PTZ-02", edition="2022"),
    Named("presets_forgotten", Text("预置位不保存", "forgets presets"), {"presets_forgotten": True}, "PTZ-03"),
    Named(
        "precise_ignored",
        Text("精准控制无效", "ignores precise PTZ"),
        {"precise_ignored": True},
        "PTZ-04",
        edition="2022",
    ),
    Named("refuse_live", Text("拒绝实时点播", "refuses live pictures"), {"refuse_live": True}, "INV-01"),
    Named("wrong_direction", Text("应答 SDP 方向错误", "answers recvonly"), {"wrong_direction": True}, "INV-02"),
    Named("no_ssrc", Text("应答没有 y", "answers without y"), {"no_ssrc": True}, "INV-03"),
    Named("no_contact", Text("应答没有 Contact", "answers without Contact"), {"no_contact": True}, "INV-04"),
    Named("ok_once", Text("不重发 200", "does not repeat its 200"), {"ok_once": True}, "INV-05"),
    Named("before_ack", Text("ACK 之前发流", "sends before the ACK"), {"before_ack": True}, "INV-06"),
    Named("no_udp", Text("没有媒体流", "sends no media"), {"no_udp": True}, "MED-01"),
    Named("wrong_ssrc", Text("媒体 SSRC 错误", "another SSRC in RTP"), {"wrong_ssrc": True}, "MED-02"),
    Named("wrong_payload", Text("负载类型错误", "another payload type"), {"wrong_payload": True}, "MED-03"),
    Named("no_key_frame", Text("没有关键帧", "never sends a key picture"), {"no_key_frame": True}, "MED-04"),
    Named("same_timestamp", Text("时间戳不变", "one timestamp for everything"), {"same_timestamp": True}, "MED-05"),
    Named("loss", Text("丢包", "loses half of its packets"), {"loss": 0.5}, "MED-06"),
    Named("after_bye", Text("BYE 后继续发流", "goes on after BYE"), {"after_bye": True}, "INV-07"),
    Named("keep_replaced", Text("不替换旧链路", "keeps the old link"), {"keep_replaced": True}, "INV-08"),
    Named(
        "unknown_channel_ok",
        Text("不存在的通道也应答 200", "takes calls for cameras that it lacks"),
        {"unknown_channel_ok": True},
        "INV-09",
    ),
    Named("cancel_ignored", Text("不理会 CANCEL", "ignores CANCEL"), {"cancel_ignored": True}, "INV-10"),
    Named("wrong_setup", Text("TCP 角色不互补", "names the same TCP role"), {"wrong_setup": True}, "INV-11"),
    Named("never_connects", Text("TCP 不主动连接", "never connects for media"), {"no_tcp_media": "active"}, "INV-12"),
    Named(
        "never_listens", Text("TCP 不接受连接", "takes no connection for media"), {"no_tcp_media": "passive"}, "INV-13"
    ),
    Named("no_records", Text("不应答录像检索", "no answer to RecordInfo"), {"unanswered": ("recordinfo",)}, "REC-01"),
    Named(
        "records_wrong_sum",
        Text("录像 SumNum 错误", "SumNum of recordings is wrong"),
        {"records_wrong_sum": True},
        "REC-02",
    ),
    Named(
        "records_outside",
        Text("返回范围外的录像", "recordings that were not asked for"),
        {"records_outside": True},
        "REC-03",
    ),
    Named("refuse_playback", Text("拒绝回放", "refuses playback"), {"refuse_playback": True}, "PB-01"),
    Named("pause_ignored", Text("暂停无效", "ignores PAUSE"), {"pause_ignored": True}, "PB-02"),
    Named(
        "no_media_status", Text("不发结束通知", "does not tell the end of a file"), {"no_media_status": True}, "PB-03"
    ),
    Named(
        "media_status_outside",
        Text("结束通知在对话外", "tells the end outside the dialog"),
        {"media_status_outside": True},
        "PB-04",
    ),
    Named("scale_ignored", Text("倍速无效", "ignores Scale"), {"scale_ignored": True}, "PB-05"),
    Named("seek_ignored", Text("拖放无效", "ignores Range"), {"seek_ignored": True}, "PB-06"),
    Named("no_download", Text("拒绝下载", "refuses downloads"), {"no_download": True}, "DL-01"),
    Named("no_filesize", Text("下载没有文件大小", "a download without its size"), {"no_filesize": True}, "DL-02"),
    Named(
        "no_catalogue_subscription",
        Text("拒绝目录订阅", "refuses catalogue subscriptions"),
        {"refused_subscriptions": ("catalog",)},
        "SUB-01",
    ),
    Named("no_notify", Text("订阅后不通知", "never notifies"), {"no_notify": True}, "SUB-02"),
    Named(
        "notify_wrong_sum",
        Text("通知的 SumNum 错误", "SumNum of a notification is wrong"),
        {"notify_wrong_sum": True},
        "SUB-03",
    ),
    Named("refresh_refused", Text("拒绝刷新订阅", "refuses a refresh"), {"refresh_refused": True}, "SUB-04"),
    Named(
        "unsubscribe_ignored", Text("取消订阅无效", "ignores unsubscribing"), {"unsubscribe_ignored": True}, "SUB-05"
    ),
    Named(
        "no_alarm_subscription",
        Text("拒绝报警订阅", "refuses alarm subscriptions"),
        {"refused_subscriptions": ("alarm",)},
        "SUB-06",
    ),
    Named("position_silent", Text("不按间隔通知位置", "tells its position once"), {"position_silent": True}, "SUB-07"),
    Named(
        "no_lens_subscription",
        Text("拒绝 PTZ 状态订阅", "refuses PTZ position subscriptions"),
        {"refused_subscriptions": ("ptzposition",)},
        "SUB-08",
        edition="2022",
    ),
    Named("no_alarms", Text("不上报报警", "tells no alarm"), {"no_alarms": True}, "ALM-01"),
    Named(
        "alarm_without_priority",
        Text("报警缺少级别", "an alarm without priority"),
        {"alarm_without_priority": True},
        "ALM-02",
    ),
    Named("broadcast_silent", Text("不应答广播", "no answer to Broadcast"), {"broadcast_silent": True}, "BC-01"),
    Named(
        "broadcast_no_invite",
        Text("广播不发起点播", "does not call for a broadcast"),
        {"broadcast_no_invite": True},
        "BC-02",
    ),
    Named(
        "broadcast_wrong_direction",
        Text("广播 SDP 方向错误", "offers to send in a broadcast"),
        {"broadcast_wrong_direction": True},
        "BC-03",
    ),
    Named(
        "snapshot_silent",
        Text("不发抓拍完成通知", "does not tell the end of a snapshot"),
        {"snapshot_silent": True},
        "SNP-01",
        edition="2022",
    ),
    Named("boot_ignored", Text("不执行远程启动", "ignores TeleBoot"), {"boot_ignored": True}, "END-01"),
    Named("boot_abrupt", Text("重启前不注销", "restarts without leaving"), {"boot_abrupt": True}, "END-02"),
    Named(
        "ignore_redirect",
        Text("不理会重定向", "ignores a redirect"),
        {"ignore_redirect": True},
        "END-03",
        edition="2022",
    ),
)
