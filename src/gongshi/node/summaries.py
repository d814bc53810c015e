"""Chinese summaries of operations whose doors say theirs in English only, for the description of the API.

A summary has both languages, English first: "Log in with username and password 登录". What a door says in both
already is left alone, and a test finds operations that lack one of the two.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

CHINESE: Final = re.compile(r"[一-鿿]")

SUMMARIES: Final[Mapping[str, str]] = {
    "GET /api/v1/accounts": "账号列表",
    "POST /api/v1/accounts": "新建账号，一次性口令只显示这一次",
    "PATCH /api/v1/accounts/{account_id}": "修改、停用或恢复账号",
    "POST /api/v1/accounts/{account_id}/reset-password": "重置口令并结束其登录",
    "GET /api/v1/cameras": "摄像机列表",
    "GET /api/v1/cameras/map": "地图上的摄像机",
    "GET /api/v1/cameras/{code}": "摄像机档案",
    "GET /api/v1/cameras/{code}/history": "档案变更历史",
    "GET /api/v1/events": "事件流",
    "GET /api/v1/inventory/fields": "清单的列与校验规则",
    "GET /api/v1/inventory/filings": "填报记录",
    "POST /api/v1/inventory/filings": "上传填好的清单",
    "POST /api/v1/inventory/filings/zero": "签署零报告",
    "GET /api/v1/inventory/filings/{filing_id}": "填报详情",
    "POST /api/v1/inventory/filings/{filing_id}/accept": "接收，登记入库",
    "POST /api/v1/inventory/filings/{filing_id}/cancel": "停止检查或作废",
    "GET /api/v1/inventory/filings/{filing_id}/findings": "校验问题",
    "POST /api/v1/inventory/filings/{filing_id}/keep": "把试算留作草稿",
    "GET /api/v1/inventory/filings/{filing_id}/rows": "填报的各行原文",
    "POST /api/v1/inventory/filings/{filing_id}/send-back": "退回并说明原因",
    "POST /api/v1/inventory/filings/{filing_id}/submit": "提交领导小组办公室",
    "GET /api/v1/inventory/filings/{filing_id}/workbook": "下载标注了问题的表",
    "POST /api/v1/inventory/findings/{finding_id}/waive": "凭证据豁免一个问题",
    "GET /api/v1/inventory/form": "下载空表",
    "GET /api/v1/inventory/reconciliation": "申报与实测核对",
    "POST /api/v1/login": "登录",
    "POST /api/v1/logout": "退出登录",
    "GET /api/v1/me": "我是谁，能做什么",
    "GET /api/v1/me/logins": "我的登录",
    "DELETE /api/v1/me/logins/{login_id}": "结束我的一个登录",
    "POST /api/v1/me/password": "修改密码，其他登录随之结束",
    "GET /api/v1/organisations": "单位",
    "GET /api/v1/peers": "下级设备与平台",
    "POST /api/v1/peers": "新增下级平台，口令只显示这一次",
    "GET /api/v1/peers/{peer_id}": "下级平台详情",
    "POST /api/v1/peers/{peer_id}/catalogue": "立即查询目录",
    "GET /api/v1/peers/{peer_id}/channels": "平台目录中的通道",
    "GET /api/v1/peers/{peer_id}/trace": "与平台最近的 SIP 报文",
    "GET /api/v1/regions": "行政区划",
    "GET /api/v1/roles": "角色，以及我能授予哪些",
    "GET /api/v1/statistics/overview": "总览数字与待办",
    "GET /api/v1/system/info": "节点名称与版本",
    "GET /healthz": "门户进程是否存活",
    "GET /metrics": "Prometheus 指标",
    "GET /readyz": "各部分是否就绪",
}


def add_summaries(description: Mapping[str, Any]) -> None:
    """Complete the summaries of an OpenAPI description, in place."""
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            chinese = SUMMARIES.get(f"{method.upper()} {path}")
            if chinese and not CHINESE.search(operation.get("summary", "")):
                operation["summary"] = f"{operation['summary']} {chinese}"
