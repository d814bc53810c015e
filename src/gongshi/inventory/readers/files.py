"""From bytes to grids: the content decides, whatever the file is called."""

from typing import Literal

from gongshi.inventory.readers import docx, ods, text, xls, xlsx
from gongshi.inventory.readers.grid import Grid
from gongshi.inventory.readers.package import Package
from gongshi.inventory.readers.refusal import damaged, empty, encrypted, wrong_type
from gongshi.kit.i18n import Text

FileFormat = Literal["xlsx", "xls", "ods", "csv", "docx"]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_NOT_TEXT = frozenset({"xlsx", "xls", "ods", "docx", "xlsm", "et", "wps"})
"""Endings of names that promise a document with an inside."""
_OTHER: tuple[tuple[bytes, Text], ...] = (
    (b"%PDF", Text("PDF 文档", "a PDF document")),
    (b"\x89PNG", Text("图片", "a picture")),
    (b"\xff\xd8\xff", Text("图片", "a picture")),
    (b"GIF8", Text("图片", "a picture")),
    (b"BM", Text("图片", "a picture")),
    (b"Rar!", Text("RAR 压缩包", "a RAR archive")),
    (b"7z\xbc\xaf", Text("7z 压缩包", "a 7z archive")),
    (b"\x1f\x8b", Text("gzip 压缩包", "a gzip archive")),
    (b"MZ", Text("程序", "a program")),
    (b"\x7fELF", Text("程序", "a program")),
    (b"{\\rtf", Text("RTF 文档", "an RTF document")),
)


def detect(content: bytes, name: str = "") -> FileFormat:
    """What the content is. Raises the refusals of `refusal` for everything that cannot be a form.

    `name` decides nothing but what is said: text under a workbook's name was meant to be a workbook.
    """
    if not content.strip(b"\x00\t\r\n ")[:1]:
        raise empty()
    if content.startswith(_ZIP):
        return _package_format(Package(content))
    if content.startswith(_OLE):
        return _ole_format(content)
    for start, kind in _OTHER:
        if content.startswith(start):
            raise wrong_type(kind)
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<") and (b"<html" in head or b"<table" in head or b"<!doctype" in head):
        raise wrong_type(Text("网页（仅扩展名为 xls）", "a web page, whatever its name says"))
    if head.startswith(b"<?xml"):
        raise wrong_type(Text("XML 文件", "an XML file"))
    decoded = text.decode(content)
    if decoded is None:
        raise wrong_type(Text("无法识别的二进制数据", "unknown binary data"))
    ending = name.lower().rpartition(".")[2]
    # Many platforms export text with tabs under the name xls; that is a table all the same.
    if ending in _NOT_TEXT and not any(mark in decoded[:8192] for mark in ",;\t"):
        raise wrong_type(
            Text(
                f"纯文本，不是工作簿（文件名以 .{ending} 结尾）",
                f"plain text and no workbook, although it is named .{ending}",
            )
        )
    return "csv"


def open_file(content: bytes, name: str = "") -> tuple[FileFormat, list[Grid]]:
    """The grids of an upload; their rows are read while they are iterated. Blocks: call it in a thread."""
    kind = detect(content, name)
    if kind == "xlsx":
        return kind, xlsx.sheets(Package(content))
    if kind == "ods":
        return kind, ods.sheets(Package(content))
    if kind == "docx":
        return kind, docx.tables(Package(content))
    if kind == "xls":
        return kind, xls.sheets(content)
    decoded = text.decode(content)
    if decoded is None:
        raise damaged()
    return kind, text.sheets(decoded, name or "csv")


def _package_format(package: Package) -> FileFormat:
    names = package.names
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "word/document.xml" in names:
        return "docx"
    if "content.xml" in names and "mimetype" in names:
        kind = package.head("mimetype", 80)
        if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
            return "ods"
        raise wrong_type(Text("OpenDocument 文档（不是表格）", "an OpenDocument file that is no spreadsheet"))
    if "xl/workbook.bin" in names:
        raise wrong_type(Text("xlsb 工作簿", "an xlsb workbook"))
    raise wrong_type(Text("压缩包", "a zip archive"))


def _ole_format(content: bytes) -> FileFormat:
    def has(name: str) -> bool:
        return name.encode("utf-16-le") in content

    if has("EncryptedPackage"):
        raise encrypted()
    if has("Workbook") or has("Book"):
        return "xls"
    if has("WordDocument"):
        raise wrong_type(Text("旧版 Word 文档（doc）", "an old Word document (doc)"))
    raise damaged()
