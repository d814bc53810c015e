import type { NewUpper, Upper, UpperChanges } from "@/core/api/types"

/** What the form holds: numbers as numbers, lists as one line each, "" for what follows from the rest. */
export interface UpperForm {
  code: string
  name: string
  organisation: string
  host: string
  port: number
  transport: "udp" | "tcp"
  own_code: string
  password: string
  username: string
  domain: string
  realm: string
  edition: "" | "2016" | "2022"
  charset: "" | "gb18030" | "utf-8"
  expires: number
  keepalive_interval: number
  keepalive_misses: number
  retry_seconds: number
  tree: "none" | "region" | "organisation" | "device"
  contact: string
  sources: string
  media_networks: string
  redirects: string
}

const LISTS = ["sources", "media_networks", "redirects"] as const

export function emptyForm(): UpperForm {
  return {
    code: "",
    name: "",
    organisation: "",
    host: "",
    port: 5060,
    transport: "udp",
    own_code: "",
    password: "",
    username: "",
    domain: "",
    realm: "",
    edition: "",
    charset: "",
    expires: 86_400,
    keepalive_interval: 60,
    keepalive_misses: 3,
    retry_seconds: 60,
    tree: "none",
    contact: "",
    sources: "",
    media_networks: "",
    redirects: "",
  }
}

export function formOf(upper: Upper): UpperForm {
  const known = Object.fromEntries(Object.keys(emptyForm()).map((key) => [key, (upper as Record<string, unknown>)[key] ?? ""]))
  const lists = Object.fromEntries(LISTS.map((key) => [key, upper[key].join("\n")]))
  return { ...(known as unknown as UpperForm), ...lists, organisation: "", password: "" }
}

function lines(text: string): string[] {
  return text.split(/[\s,;，；]+/).filter((line) => line !== "")
}

type Settings = Omit<NewUpper, "code" | "organisation" | "password">

function settings(form: UpperForm): Settings {
  const or = <T extends string>(text: T): Exclude<T, ""> | null => (text.trim() === "" ? null : (text.trim() as Exclude<T, "">))
  return {
    name: form.name.trim(),
    host: form.host.trim(),
    port: form.port,
    transport: form.transport,
    own_code: form.own_code.trim(),
    username: or(form.username),
    domain: or(form.domain),
    realm: or(form.realm),
    edition: or(form.edition),
    charset: or(form.charset),
    expires: form.expires,
    keepalive_interval: form.keepalive_interval,
    keepalive_misses: form.keepalive_misses,
    retry_seconds: form.retry_seconds,
    tree: form.tree,
    contact: or(form.contact),
    sources: lines(form.sources),
    media_networks: lines(form.media_networks),
    redirects: lines(form.redirects),
  }
}

export function newUpper(form: UpperForm): NewUpper {
  return { ...settings(form), code: form.code.trim(), organisation: form.organisation, password: form.password }
}

/** Only what differs from what stands; what the server fills in by itself is never emptied. */
export function changesOf(form: UpperForm, upper: Upper): UpperChanges {
  const before = upper as Record<string, unknown>
  const changed = Object.entries(settings(form)).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key] ?? null))
  return Object.fromEntries(changed.filter(([key, value]) => value !== null || (key !== "username" && key !== "domain")))
}
