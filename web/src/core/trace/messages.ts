/** SIP messages as the node kept them, read far enough to be told as exchanges. */

export interface TraceMessage {
  at: string
  way: "in" | "out"
  remote: string
  size: number
  truncated: boolean
  text: string
}

export interface Message extends TraceMessage {
  key: string
  /** Empty for an answer. */
  method: string
  /** Null for a request. */
  status: number | null
  /** `REGISTER` or `401 Unauthorized`: what stands on the arrow. */
  label: string
  callId: string
  /** CmdType of a MANSCDP body, such as `Keepalive`. */
  command: string
}

export type Outcome = "ok" | "refused" | "waiting"

export interface Exchange {
  key: string
  method: string
  command: string
  /** Who began it. */
  way: "in" | "out"
  begun: string
  messages: Message[]
  outcome: Outcome
  /** The last final status; null while there is none. */
  status: number | null
}

export interface TraceFilter {
  method: string
  way: string
  outcome: string
  text: string
}

export const CHALLENGES = new Set([401, 407])

function header(head: string, names: string): string {
  return new RegExp(`^(?:${names})[ \\t]*:[ \\t]*(.*)$`, "im").exec(head)?.[1]?.trim() ?? ""
}

function read(line: TraceMessage, index: number): Message {
  const [head = "", ...rest] = line.text.split(/\r?\n\r?\n/)
  const first = head.split(/\r?\n/, 1)[0] ?? ""
  const answer = /^SIP\/2\.0 (\d{3})[ \t]*(.*)$/i.exec(first)
  const request = /^([A-Za-z]+) \S+ SIP\/2\.0$/i.exec(first)
  const callId = header(head, "call-id|i")
  return {
    ...line,
    key: `${line.at} ${line.way} ${callId} ${first} ${String(index)}`,
    method: request?.[1]?.toUpperCase() ?? "",
    status: answer?.[1] === undefined ? null : Number(answer[1]),
    label: answer ? `${answer[1] ?? ""} ${answer[2] ?? ""}`.trim() : (request?.[1]?.toUpperCase() ?? (first || "–")),
    callId,
    command: /<CmdType>\s*([^<\s]+)\s*<\/CmdType>/i.exec(rest.join("\n\n"))?.[1] ?? "",
  }
}

function close(exchange: Exchange): Exchange {
  const finals = exchange.messages.filter((message) => message.status !== null && message.status >= 200)
  const status = finals.at(-1)?.status ?? null
  const last = exchange.messages.at(-1)
  // A challenge that was taken up is no refusal; one that nobody takes up is.
  const taken = status !== null && CHALLENGES.has(status) && last !== undefined && last.method !== "" && last.method !== "ACK"
  exchange.status = taken ? null : status
  exchange.outcome = exchange.status === null ? "waiting" : exchange.status < 300 ? "ok" : "refused"
  return exchange
}

/** Groups messages by Call-ID, newest exchange first. A registration that is refreshed begins a new one each time. */
export function exchanges(lines: readonly TraceMessage[]): Exchange[] {
  const found: Exchange[] = []
  const open = new Map<string, Exchange>()
  lines.map(read).forEach((message) => {
    let exchange = open.get(message.callId)
    const settled = exchange?.messages.some((other) => other.status !== null && other.status >= 200 && !CHALLENGES.has(other.status))
    if (exchange === undefined || message.callId === "" || (message.method === "REGISTER" && settled)) {
      exchange = {
        key: message.key,
        method: message.method || message.label,
        command: "",
        way: message.way,
        begun: message.at,
        messages: [],
        outcome: "waiting",
        status: null,
      }
      open.set(message.callId, exchange)
      found.push(exchange)
    }
    exchange.messages.push(message)
    if (exchange.command === "") exchange.command = message.command
  })
  return found.map(close).reverse()
}

/** A message with how often it was sent; over UDP what is not answered is sent again, letter by letter. */
export interface Repeated {
  message: Message
  times: number
}

export function withoutRepeats(messages: readonly Message[]): Repeated[] {
  const found: Repeated[] = []
  for (const message of messages) {
    const same = found.find((one) => one.message.way === message.way && one.message.text === message.text)
    if (same === undefined) found.push({ message, times: 1 })
    else same.times += 1
  }
  return found
}

export function matches(exchange: Exchange, filter: TraceFilter): boolean {
  const wanted = filter.text.trim().toLowerCase()
  return (
    (filter.method === "" || exchange.method === filter.method || exchange.command === filter.method) &&
    (filter.way === "" || exchange.way === filter.way) &&
    (filter.outcome === "" || exchange.outcome === filter.outcome) &&
    (wanted === "" || exchange.messages.some((message) => message.text.toLowerCase().includes(wanted)))
  )
}

/** What can be chosen in the filter: methods first, then commands. */
export function kinds(all: readonly Exchange[]): string[] {
  const methods = new Set(all.map((exchange) => exchange.method))
  const commands = new Set(all.map((exchange) => exchange.command).filter((command) => command !== ""))
  return [...[...methods].sort(), ...[...commands].sort()]
}
