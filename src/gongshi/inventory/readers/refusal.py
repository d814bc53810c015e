"""Files that cannot be read at all: each refusal says what is wrong with the file and what to send instead."""

from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Text


class UnreadableFile(Problem):
    """The upload is not a form that can be read; nothing of it was taken."""

    status, code, title = 422, "unreadable_file", Text("无法读取该文件", "The file cannot be read")


_ACCEPTED = Text(
    "请使用下载的表样，或另存为 xlsx、xls、ods、csv、docx 后上传",
    "use the downloaded form, or save it as xlsx, xls, ods, csv or docx",
)


def _refuse(code: str, cause: Text, remedy: Text = _ACCEPTED) -> UnreadableFile:
    detail = Text(f"{cause.zh}。{remedy.zh}。", f"{cause.en[:1].upper()}{cause.en[1:]}; {remedy.en}.")
    return UnreadableFile(detail, code=code)


_HOSTILE = {
    "size": Text("文件解压后过大", "the file unpacks to far too much"),
    "ratio": Text("文件压缩率异常，疑似压缩炸弹", "the file's compression is abnormal; it looks like a zip bomb"),
    "entries": Text("压缩包内文件过多", "the file holds far too many parts"),
    "overlap": Text("压缩包结构异常", "the parts of the file overlap"),
    "nesting": Text("文件内部嵌套过深", "the file is nested too deeply"),
    "doctype": Text("文件含有不允许的文档类型声明", "the file holds a document type declaration"),
    "cells": Text("文件内单元格过多", "the file holds far too many cells"),
    "text": Text("单元格文字过长", "a cell's text is far too long"),
    "memory": Text("读取该文件所需资源超出限制", "reading the file needs more than is allowed"),
}


def hostile(what: str) -> UnreadableFile:
    """The file was made, or broken, so that reading it would exhaust the node."""
    return _refuse("hostile_file", _HOSTILE[what])


def damaged() -> UnreadableFile:
    """Cut off, or otherwise not what its first bytes promise."""
    return _refuse(
        "damaged_file",
        Text(
            "文件不完整或已损坏（上传可能中断）", "the file is incomplete or damaged (the upload may have been cut off)"
        ),
        Text(
            "请在本机打开确认无误后重新上传",
            "open it on your computer to make sure that it is whole, then upload it again",
        ),
    )


def empty() -> UnreadableFile:
    return _refuse("empty_file", Text("文件是空的", "the file is empty"))


def encrypted() -> UnreadableFile:
    return _refuse(
        "encrypted_file",
        Text("文件已加密", "the file is encrypted"),
        Text("请取消打开密码后上传", "remove the password and upload it again"),
    )


def wrong_type(found: Text) -> UnreadableFile:
    """`found`: what the content really is."""
    return _refuse("wrong_type", Text(f"文件内容是{found.zh}，不是填报表", f"the content is {found.en}, not a form"))


def too_many_rows(limit: int) -> UnreadableFile:
    return _refuse(
        "too_many_rows",
        Text(f"数据行超过{limit}行", f"there are more than {limit} rows of data"),
        Text("请分成多个文件填报", "split it into several files"),
    )
