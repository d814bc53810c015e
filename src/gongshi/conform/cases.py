"""The catalogue of conformance cases as data: what is tried, by which clause of which edition, and what should be seen.

The order is the order of a run. `docs/conformance.md` is written from these tables (scripts/conformance.py).
"""

from gongshi.conform.model import Case, Side
from gongshi.kit.i18n import Text

GROUPS: dict[str, Text] = {
    "REG": Text("注册", "Registration"),
    "KEEP": Text("状态信息报送", "Keepalive"),
    "MSG": Text("消息应答", "Messages"),
    "TRN": Text("事务", "Transactions"),
    "CAT": Text("目录查询", "Catalogue"),
    "CHR": Text("字符集", "Character set"),
    "QRY": Text("信息与配置查询", "Queries"),
    "CTL": Text("设备控制", "Control"),
    "PTZ": Text("云台控制", "PTZ"),
    "INV": Text("实时点播", "Live"),
    "MED": Text("媒体流", "Media"),
    "REC": Text("录像检索", "Search for recordings"),
    "PB": Text("录像回放", "Playback"),
    "DL": Text("录像下载", "Download"),
    "SUB": Text("订阅与通知", "Subscriptions"),
    "ALM": Text("报警", "Alarms"),
    "BC": Text("语音广播", "Broadcast"),
    "SNP": Text("图像抓拍", "Snapshot"),
    "END": Text("重启与注销", "Restart and leaving"),
    "SRV": Text("上级平台：注册服务", "Platform: registrar"),
    "PLT": Text("上级平台：消息与事务", "Platform: messages and transactions"),
    "ASK": Text("上级平台：查询与点播", "Platform: queries and live"),
}


def group_of(case_id: str) -> str:
    """The letters of an ID."""
    return case_id.partition("-")[0]


_DEVICE = """
REG-01 | 9.1 | 9.1 | - | - | 注册请求的格式 | From 与 To 为同一设备编码，带 Contact 与 CSeq REGISTER | Form of REGISTER | From and To are the same device code, with Contact and CSeq REGISTER
REG-02 | 9.1 | 9.1 | - | REG-01 | 应答认证质询 | 收到 401 后携带 Authorization 重新注册 | Answers the challenge | after 401 it registers again with Authorization
REG-03 | 9.1 | 9.1 | - | REG-02 | 质询后的序号 | Call-ID 不变，CSeq 递增 | Number after a challenge | Call-ID stays, CSeq grows
REG-04 | 9.1 | 9.1 | - | REG-02 | 摘要认证正确 | 用户名为设备编码，摘要由约定口令得出 | Digest is right | the username is the device code and the digest is made of the agreed password
REG-05 | 9.1 | 9.1 | should | REG-04 | 随机数过期 | 收到 stale=true 的 401 后用新随机数重新认证 | Stale nonce | after a 401 with stale=true it authenticates with the new nonce
REG-06 | - | 9.1, I | - | REG-01 | 协议版本标识 | 注册请求都携带 X-GB-Ver | Version header | every REGISTER carries X-GB-Ver
REG-07 | 9.1 | 9.1 | - | REG-01 | 注册有效期 | 有效期不小于 3600 秒 | Validity asked for | at least 3600 seconds
REG-08 | 9.1 | 9.1 | - | REG-04 | 刷新注册 | 在授予的有效期届满前刷新 | Refresh | it registers again before the granted time is over
KEEP-01 | 9.6 | 9.6 | - | REG-04 | 心跳 | 按周期发送 Keepalive 通知 | Keepalive | Notify Keepalive comes in its interval
KEEP-02 | 9.6 | 9.6 | - | KEEP-01 | 心跳的设备编码 | DeviceID 为本设备编码 | Device of the keepalive | DeviceID is the device's own code
KEEP-03 | 9.6 | 9.6 | - | KEEP-01 | 心跳的状态 | Status 为 OK 或 ERROR | Status of the keepalive | Status is OK or ERROR
KEEP-04 | 9.6 | 9.6 | should | KEEP-01 | 心跳被拒绝 | 收到 403 后重新注册 | Refused keepalive | after 403 it registers again
KEEP-05 | 9.6 | 9.6 | - | KEEP-01 | 心跳无应答 | 连续三次无应答后判定离线并重新注册 | Unanswered keepalives | after three without an answer it takes us for offline and registers again
MSG-01 | 9.5, A.1 | 9.5, A.1 | - | REG-04 | MESSAGE 的应答 | 对查询 MESSAGE 立即应答 200 | Answer to MESSAGE | a query by MESSAGE is answered 200 at once
CAT-01 | 9.5, N, O | 9.5, J, M | - | REG-04 | 目录查询 | 以 Response Catalog 应答 | Catalogue | answered by Response Catalog
CAT-02 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 目录总数 | SumNum 等于各包不同项目之和 | Total of the catalogue | SumNum is the number of different items in all packets
CAT-03 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 目录应答的编码 | DeviceID 与查询相同 | Device of the answer | DeviceID is the one asked about
CAT-04 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 每包数量 | DeviceList 的 Num 等于该包项数 | Number in a packet | Num of DeviceList is the number of items in the packet
CAT-05 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 目录项必选字段 | 各类目录项的必选字段齐全 | Required fields | items have the fields that their kind requires
CAT-06 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 设备状态 | Status 为 ON 或 OFF | Status of devices | Status is ON or OFF
CAT-07 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 上级编码 | ParentID 指向目录中的项目或平台自身 | Parents | ParentID leads to items of the catalogue or to the platform itself
CAT-08 | 9.5, N, O | 9.5, J, M | should | CAT-01 | 目录无重复 | 每个编码只出现一次 | No repetition | every code comes once
CAT-09 | N | M | - | CAT-01 | 多响应逐条发送 | 收到前一包的 200 后才发送下一包 | Packets one after the other | the next packet waits for the 200 of the one before
CAT-10 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 按行政区划查询 | 查询其他省时返回空目录 | Query by region | asked about another province it answers with an empty list
CAT-11 | 9.5, N, O | 9.5, J, M | - | CAT-01 | 查询单个设备 | 返回该设备的目录项 | Query of one device | answered by that device's item
CHR-01 | 6.10 | 6.10 | - | CAT-01 | 字符集标识 | 正文可按声明的字符集解码 | Label of the charset | bodies can be read in the charset they declare
QRY-01 | 9.5 | 9.5 | - | REG-04 | 设备信息查询 | 以 Response DeviceInfo 应答 | DeviceInfo | answered by Response DeviceInfo
QRY-02 | 9.5 | 9.5 | - | QRY-01 | 设备信息结果 | 带 Result，值为 OK 或 ERROR | Result of DeviceInfo | Result is OK or ERROR
QRY-03 | 9.5 | 9.5 | - | REG-04 | 设备状态查询 | 带 Result、Online、Status | DeviceStatus | answered with Result, Online and Status
QRY-04 | 9.10 | 9.10 | - | QRY-03 | 校时 | 设备时间与注册应答的 Date 一致 | Clock | the device's time is that of Date in the answer to REGISTER
QRY-05 | 9.5 | 9.5 | - | REG-04 | 基本参数查询 | 以 ConfigDownload 应答 BasicParam | Basic parameters | ConfigDownload gives BasicParam
QRY-06 | 9.5 | 9.5 | - | QRY-05 | 多种配置一次查询 | 每种配置各应答一次，SN 相同 | Several settings in one query | one answer for each, with the same SN
QRY-07 | 9.5 | 9.5 | - | REG-04 | 预置位查询 | 以 Response PresetQuery 应答 | Presets | answered by Response PresetQuery
QRY-08 | - | 9.5 | - | REG-04 | 看守位查询 | 以 Response HomePositionQuery 应答 | Home position | answered by Response HomePositionQuery
QRY-09 | - | 9.5 | - | REG-04 | 巡航轨迹列表查询 | 以 Response CruiseTrackListQuery 应答 | Cruise tracks | answered by Response CruiseTrackListQuery
QRY-10 | - | 9.5 | - | REG-04 | PTZ 精准状态查询 | 以 Response PTZPosition 应答 | PTZ position | answered by Response PTZPosition
QRY-11 | - | 9.5 | - | REG-04 | 存储卡状态查询 | 以 Response SDCardStatus 应答 | Storage cards | answered by Response SDCardStatus
MSG-02 | A | A | should | MSG-01 | 无法解析的正文 | 应答 400 | Unreadable body | answered 400
MSG-03 | 9.5 | 9.5 | should | MSG-01 | 查询不存在的设备 | 拒绝，或应答 ERROR 或空列表 | Query about a stranger | refused, or answered ERROR or an empty list
MSG-04 | A | A | - | REG-04 | 应答的 SN | 所有应答的 SN 与查询相同 | SN of answers | every answer carries the SN of its question
TRN-01 | 4.3 | 4.3 | - | QRY-01 MSG-01 | 重发的请求 | 同一请求只处理一次，应答相同 | Repeated request | the same request is worked on once and answered the same
TRN-02 | 4.3 | 4.3 | should | REG-04 | OPTIONS | 应答 200 | OPTIONS | answered 200
TRN-03 | 4.3 | 4.3 | should | REG-04 | 对话外的 BYE | 应答 481 | BYE without a dialog | answered 481
TRN-04 | 4.3 | 4.3 | should | REG-04 | 未知方法 | 应答 405 或 501 | Unknown method | answered 405 or 501
CTL-01 | 9.3 | 9.3 | - | REG-04 | 布防与撤防 | 以 Response DeviceControl 应答结果 | Guard | answered by Response DeviceControl with Result
CTL-02 | 9.3 | 9.3 | - | REG-04 | 录像控制 | 以 Response DeviceControl 应答结果 | Record | answered by Response DeviceControl with Result
CTL-03 | 9.3 | 9.3 | - | REG-04 | 报警复位 | 以 Response DeviceControl 应答结果 | Alarm reset | answered by Response DeviceControl with Result
CTL-04 | 9.3 | 9.3 | - | MSG-01 | 无应答命令 | 云台与强制关键帧命令没有应答消息 | Commands without an answer | PTZ and key frame commands get no answering message
CTL-05 | 9.3, A.2.3.2 | 9.3, A.2.3.2 | - | QRY-05 | 设备配置 | 以 Response DeviceConfig 应答结果 | Configuration | answered by Response DeviceConfig with Result
CTL-06 | - | 9.3 | - | QRY-08 | 看守位控制 | 设置后可查询到 | Home position | what was set can be read back
PTZ-01 | - | 9.3 | - | QRY-10 | 云台转动 | 命令使方位变化 | Turning | a command changes the position
PTZ-02 | - | 9.3 | - | PTZ-01 | 云台停止 | 停止命令后方位不变 | Stopping | stop ends the movement
PTZ-03 | 9.3 | 9.3 | - | QRY-07 | 预置位设置 | 设置的预置位出现在列表中，删除后消失 | Presets | a preset that was set is listed, and gone when deleted
PTZ-04 | - | 9.3 | - | QRY-10 | PTZ 精准控制 | 到达指定方位 | Precise PTZ | it looks where it was told
INV-01 | 9.2 | 9.2 | - | REG-04 | 实时点播 | 应答 200 并携带 SDP | Live | INVITE is answered 200 with SDP
INV-02 | 9.2, F | 9.2, G | - | INV-01 | 应答 SDP | 视频为 sendonly，负载 96 为 PS，端口有效 | SDP of the answer | video is sendonly, payload 96 is PS, and there is a port
INV-03 | 9.2, F | 9.2, G | - | INV-01 | 应答的 SSRC | y 与请求相同 | SSRC of the answer | y is the one offered
INV-04 | 9.2 | 9.2 | - | INV-01 | 应答的对话信息 | 带 To 标签与 Contact | Dialog of the answer | a To tag and a Contact
INV-05 | 9.2 | 9.2 | - | INV-01 | 200 重发 | 未收到 ACK 时重发 200 | Repeated 200 | without an ACK the 200 is sent again
INV-06 | 9.2 | 9.2 | should | INV-01 | ACK 之前不发流 | 收到 ACK 后才发送媒体流 | No media before the ACK | media begin with the ACK
MED-01 | 9.2 | 9.2 | - | INV-01 | 媒体到达 | ACK 后收到 RTP | Media arrive | RTP comes after the ACK
MED-02 | 9.2, F | 9.2, G | - | MED-01 | 媒体的 SSRC | RTP 的 SSRC 与 y 相同 | SSRC of the media | RTP carries the SSRC of y
MED-03 | C | C | - | MED-01 | PS 封装 | 负载类型 96，首包为 PS 包头 | PS | payload type 96, and the first packet begins a PS pack
MED-04 | C | C | - | MED-03 | 首帧为关键帧 | 首帧带参数集，可立即解码 | First picture | the first picture has parameter sets and can be decoded at once
MED-05 | 4.3, C | 4.3.6, C | - | MED-01 | 时间戳 | 各帧时间戳不同且递增 | Timestamps | pictures have different timestamps that grow
MED-06 | 5 | 5 | - | MED-01 | 丢包 | 丢包率不超过 1% | Loss | at most 1 % of packets are lost
INV-07 | 9.2 | 9.2 | - | MED-01 | 结束点播 | BYE 应答 200 并停止发送 | End | BYE is answered 200 and media stop
INV-08 | K, M | K, L | - | MED-01 | 相同 Subject 的点播 | 同一发送方与序号再次点播时替换旧链路 | The same Subject | the same sender and sequence again replaces the old link
INV-09 | 9.2 | 9.2 | - | REG-04 | 点播不存在的通道 | 应答 4xx | Unknown channel | answered 4xx
INV-10 | 9.2 | 9.2 | - | INV-01 | 取消点播 | CANCEL 应答 200，INVITE 应答 487 | CANCEL | answered 200, and the INVITE 487
INV-11 | L | D | - | INV-01 | TCP 媒体的角色 | 应答的 a=setup 与请求互补 | Roles of TCP media | a=setup of the answer is the complement of the offer's
INV-12 | L | D | - | INV-01 | TCP 被动接收 | 设备主动连接并发流 | TCP, we listen | the device connects and sends
INV-13 | L | D | - | INV-01 | TCP 主动接收 | 设备监听，接受连接并发流 | TCP, we connect | the device listens, takes the connection and sends
REC-01 | 9.7 | 9.7 | - | REG-04 | 录像检索 | 以 Response RecordInfo 应答 | Search | answered by Response RecordInfo
REC-02 | 9.7 | 9.7 | - | REC-01 | 录像总数 | SumNum 等于各包项目之和 | Total of recordings | SumNum is the number of items in all packets
REC-03 | 9.7 | 9.7 | - | REC-01 | 录像时间范围 | 录像都在检索的时间范围内 | Times of recordings | recordings lie in the time that was asked for
PB-01 | 9.8 | 9.8 | - | REC-03 | 录像回放 | 应答 200 并发流 | Playback | INVITE is answered 200 and media arrive
PB-02 | 9.8, B | 9.8, B | - | PB-01 | 暂停与恢复 | 暂停后停流，恢复后继续 | Pause and resume | media stop at pause and go on at play
PB-03 | 9.8 | 9.8 | - | PB-01 | 回放结束通知 | 发送 MediaStatus，NotifyType 为 121 | End of file | MediaStatus with NotifyType 121 is sent
PB-04 | 9.8 | 9.8 | - | PB-03 | 结束通知在对话内 | MediaStatus 的 Call-ID 与点播相同 | End of file inside the dialog | MediaStatus carries the Call-ID of the INVITE
PB-05 | 9.8, B | 9.8, B | - | PB-01 | 倍速 | 四倍速时提前结束 | Speed | at four times the speed it ends early
PB-06 | 9.8, B | 9.8, B | - | PB-01 | 随机拖放 | 拖放到末尾附近后很快结束 | Seek | after a seek near the end it ends soon
DL-01 | 9.9 | 9.9 | - | REC-03 | 录像下载 | 应答 200 并发流 | Download | INVITE is answered 200 and media arrive
DL-02 | 9.9 | 9.9 | should | DL-01 | 文件大小 | 应答 SDP 带 a=filesize | Size of the file | the answer has a=filesize
SUB-01 | 9.11, P | 9.11, N | - | REG-04 | 目录订阅 | 应答 200，带 Expires 与 To 标签 | Catalogue subscription | answered 200 with Expires and a To tag
SUB-02 | 9.11, P | 9.11, N | - | SUB-01 | 首次通知 | 订阅后立即发送 NOTIFY | First notification | NOTIFY follows at once
SUB-03 | 9.11, P | 9.11, N | - | SUB-02 | 通知的数量 | SumNum、Num 与项数一致 | Numbers of a notification | SumNum, Num and the number of items agree
SUB-04 | 9.11 | 9.11 | - | SUB-01 | 刷新订阅 | 对话内刷新应答 200 | Refresh | a refresh in the dialog is answered 200
SUB-05 | 9.11 | 9.11 | - | SUB-01 | 取消订阅 | Expires 为 0 后发送 terminated 通知 | Unsubscribe | Expires 0 is followed by a NOTIFY that says terminated
SUB-06 | 9.11 | 9.11 | - | REG-04 | 报警订阅 | 应答 200 | Alarm subscription | answered 200
SUB-07 | 9.11 | 9.11 | - | REG-04 | 移动位置订阅 | 按间隔通知位置 | Position subscription | positions come in their interval
SUB-08 | - | 9.11 | - | REG-04 | PTZ 精准状态订阅 | 应答 200 并通知方位 | PTZ position subscription | answered 200, and the position is told
ALM-01 | 9.4 | 9.4 | - | REG-04 | 报警上报 | 触发报警后收到 Notify Alarm | Alarm | Notify Alarm comes when an alarm is raised
ALM-02 | 9.4 | 9.4 | - | ALM-01 | 报警必选字段 | 带级别、方式与时间 | Required fields of an alarm | priority, method and time
BC-01 | 9.12 | 9.12 | - | REG-04 | 语音广播通知 | 以 Response Broadcast 应答 | Broadcast | answered by Response Broadcast
BC-02 | 9.12 | 9.12 | - | BC-01 | 设备发起广播点播 | 设备向语音源发送 INVITE | The device calls | the device sends INVITE to the source
BC-03 | 9.12 | 9.12 | - | BC-02 | 广播的 SDP | 音频为 recvonly，负载为 PCMA | SDP of the broadcast | audio is recvonly and PCMA
SNP-01 | - | 9.14 | - | REG-04 | 图像抓拍 | 上传图片并发送抓拍完成通知 | Snapshot | a picture is uploaded and its end is told
END-01 | 9.3 | 9.3 | reboot | REG-04 | 远程启动 | 重启后重新注册 | Restart | after TeleBoot the device registers again
END-02 | 9.1 | 9.1 | should reboot | END-01 | 注销 | 注销请求的 Expires 为 0，并经过认证 | Unregister | REGISTER with Expires 0 that is authenticated
END-03 | - | 9.1.2.3 | should redirect | END-01 | 注册重定向 | 收到 302 后向指定服务器注册 | Redirect | after 302 it registers with the server that was named
"""
"""ID, clause of 2016, clause of 2022, marks (`should`: advised only; another word: allowed by the operator only), cases
that it needs, title and expectation in Chinese, then in English. `-` is nothing."""

_PLATFORM = """
SRV-01 | 9.1 | 9.1 | - | - | 认证质询 | 对无认证信息的注册应答 401 与 Digest 质询 | Challenge | a REGISTER without credentials is answered 401 with a Digest challenge
SRV-02 | 9.1 | 9.1 | should | SRV-01 | 质询的算法 | 声明 algorithm | Algorithm of the challenge | algorithm is stated
SRV-03 | 9.1 | 9.1 | - | SRV-01 | 拒绝错误口令 | 不应答 200 | Wrong password | is not answered 200
SRV-04 | 9.1 | 9.1 | - | SRV-01 | 接受注册 | 应答 200，带有效期 | Registration | answered 200 with the time granted
SRV-05 | 9.10 | 9.10 | - | SRV-04 | 校时 | 200 的 Date 为北京时间，无时区 | Time | Date of the 200 is Beijing time without a zone
SRV-06 | - | 9.1, I | - | SRV-01 | 协议版本标识 | 注册的所有应答都携带 X-GB-Ver | Version header | every answer to REGISTER carries X-GB-Ver
SRV-07 | 9.1 | 9.1 | should | SRV-01 | 拒绝自造随机数 | 只接受自己发出的随机数 | Made-up nonce | only nonces that it issued are taken
SRV-08 | 9.1 | 9.1 | - | SRV-04 | 刷新须认证 | 无认证信息的刷新不应答 200 | Refresh is authenticated | a refresh without credentials is not answered 200
SRV-09 | 9.1 | 9.1 | - | SRV-01 | 拒绝未知设备 | 对未登记的编码不应答 200 | Unknown device | a code that nobody entered is not answered 200
PLT-01 | 9.6 | 9.6 | - | SRV-04 | 心跳 | 应答 200 | Keepalive | answered 200
PLT-02 | 9.6 | 9.6 | should | SRV-04 | 未注册设备的心跳 | 不应答 200，使设备重新注册 | Keepalive of a stranger | not answered 200, so that the device registers
PLT-03 | 9.4 | 9.4 | - | SRV-04 | 报警 | 应答 200，并以 Response Alarm 应答 | Alarm | answered 200, and by Response Alarm
PLT-04 | 4.3 | 4.3 | - | SRV-04 | 重发的请求 | 应答与首次相同 | Repeated request | answered the same again
PLT-05 | 4.3 | 4.3 | should | SRV-04 | OPTIONS | 应答 200 | OPTIONS | answered 200
PLT-06 | 4.3 | 4.3 | should | SRV-04 | 对话外的 BYE | 应答 481；为兼容老设备也可应答 200 | BYE without a dialog | answered 481, or 200 as old devices like it
PLT-07 | 4.3 | 4.3 | should | SRV-04 | 未知方法 | 应答 405 或 501 | Unknown method | answered 405 or 501
PLT-08 | A | A | should | SRV-04 | 未知通知 | 应答 200 | Unknown notification | answered 200
PLT-09 | A | A | should | SRV-04 | 无法解析的正文 | 应答 400 | Unreadable body | answered 400
ASK-01 | 9.5, N, O | 9.5, J, M | - | SRV-04 | 目录查询 | 注册后查询目录 | Catalogue query | after the registration it asks for the catalogue
ASK-02 | A | A | - | ASK-01 | 查询的格式 | 带 SN 与 DeviceID，To 没有标签 | Form of queries | SN and DeviceID, and To has no tag
ASK-03 | 6.10, A | 6.10, A, I | - | ASK-01 | 按版本发送 | 只发送对方版本具备的命令，字符集标识正确 | By edition | only commands that our edition has, in a charset labelled right
ASK-04 | 9.2, F, K | 9.2, G, L | - | ASK-01 | 点播请求 | 带 Subject，SDP 有 s=Play、recvonly 与 y | INVITE | has Subject, and SDP with s=Play, recvonly and y
ASK-05 | 9.2 | 9.2 | - | ASK-04 | 点播确认 | 收到 200 后发送无正文的 ACK | ACK | the 200 is followed by an ACK without a body
ASK-06 | 9.2, F | 9.2, G | - | ASK-04 | 点播的 SSRC | 实时流以 0 开头，第 2 至 6 位取自平台编码 | SSRC of the INVITE | begins with 0 for live, and digits 2 to 6 are the platform's
ASK-07 | 9.2 | 9.2 | - | ASK-05 | 设备挂断 | 对 BYE 应答 200 | We hang up | BYE is answered 200
SRV-10 | 9.1 | 9.1 | - | SRV-04 | 注销 | 认证后应答 200 | Unregister | answered 200 when authenticated
"""


def _read(table: str, side: Side) -> tuple[Case, ...]:
    return tuple(_case([cell.strip() for cell in line.split("|")], side) for line in table.strip().splitlines())


def _case(cells: list[str], side: Side) -> Case:
    number, old, new, marks, needs, title, expected, english_title, english = (("" if c == "-" else c) for c in cells)
    leave = " ".join(word for word in marks.split() if word != "should")
    return Case(
        number,
        side,
        old or None,
        new or None,
        Text(title, english_title),
        Text(expected, english),
        tuple(needs.split()),
        "should" if "should" in marks.split() else "must",
        leave,
    )


UPPER = _read(_DEVICE, "upper")
"""Tried on a device or lower platform that registers with us."""
LOWER = _read(_PLATFORM, "lower")
"""Tried on a platform that we register with."""
