/** One server-sent event: its name and its data, joined by line feeds. */
export interface ServerEvent {
  event: string
  data: string
}

/** Reads events from text that arrives cut anywhere (HTML standard, "server-sent events"). */
export class SseParser {
  private rest = ""
  private event = ""
  private data: string[] = []

  push(text: string): ServerEvent[] {
    this.rest += text
    const found: ServerEvent[] = []
    for (;;) {
      const end = this.rest.search(/\r\n|\n|\r/)
      // A carriage return at the very end may be half of a line break.
      if (end < 0 || (this.rest[end] === "\r" && end === this.rest.length - 1)) break
      const line = this.rest.slice(0, end)
      this.rest = this.rest.slice(end + (this.rest.startsWith("\r\n", end) ? 2 : 1))
      const done = this.line(line)
      if (done) found.push(done)
    }
    return found
  }

  private line(line: string): ServerEvent | null {
    if (line === "") {
      const event = this.data.length > 0 ? { event: this.event || "message", data: this.data.join("\n") } : null
      this.event = ""
      this.data = []
      return event
    }
    const [, name = "", value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
    if (name === "event") this.event = value
    else if (name === "data") this.data.push(value)
    return null
  }
}
