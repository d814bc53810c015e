import { i18n, locale } from "./index"

/** People here live by Beijing time wherever their browser thinks it is (design.md §5). */
export const ZONE = "Asia/Shanghai"

const formats = new Map<string, Intl.DateTimeFormat>()

function dateFormat(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = `${locale.value}:${key}`
  let format = formats.get(id)
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale.value === "en" ? "en-GB" : "zh-CN", {
      timeZone: ZONE,
      hourCycle: "h23",
      ...options,
    })
    formats.set(id, format)
  }
  return format
}

const DATE: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" }
const MINUTE: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" }

function part(parts: Intl.DateTimeFormatPart[], type: string): string {
  return parts.find((p) => p.type === type)?.value ?? ""
}

/** `2026-11-22` in either language: unambiguous and sortable by eye. */
export function formatDate(iso: string | Date | null | undefined): string {
  if (iso === null || iso === undefined) return ""
  const parts = dateFormat("date", DATE).formatToParts(new Date(iso))
  return `${part(parts, "year")}-${part(parts, "month")}-${part(parts, "day")}`
}

export function formatClock(iso: string | Date | null | undefined, seconds = false): string {
  if (iso === null || iso === undefined) return ""
  return dateFormat(seconds ? "second" : "minute", { ...MINUTE, ...(seconds ? { second: "2-digit" } : {}) }).format(
    new Date(iso),
  )
}

/** `2026-11-22 10:31`; today only the clock when `short`. */
export function formatTime(
  iso: string | Date | null | undefined,
  options: { seconds?: boolean; short?: boolean } = {},
): string {
  if (iso === null || iso === undefined) return ""
  const clock = formatClock(iso, options.seconds)
  if (options.short && formatDate(iso) === formatDate(new Date())) return clock
  return `${formatDate(iso)} ${clock}`
}

export function formatNumber(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return "–"
  return new Intl.NumberFormat(locale.value, { maximumFractionDigits: digits }).format(value)
}

export function formatPercent(share: number): string {
  return new Intl.NumberFormat(locale.value, { style: "percent", maximumFractionDigits: 1 }).format(share)
}

/** Words such as "in 3 days"; the exact time belongs into the title. */
export function formatRelative(iso: string, now = Date.now()): string {
  const seconds = (new Date(iso).getTime() - now) / 1000
  const format = new Intl.RelativeTimeFormat(locale.value, { numeric: "auto" })
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ]
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit)
  }
  return format.format(Math.trunc(seconds), "second")
}

export function formatBitrate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`
  return `${Math.round(bitsPerSecond / 1e3).toString()} kbit/s`
}

/** The word for a code of the API; an unknown code stays readable as itself. */
export function word(area: string, code: string | number | null | undefined): string {
  if (code === null || code === undefined || code === "") return "–"
  const key = `word.${area}.${String(code)}`
  return i18n.global.te(key, "zh-CN") ? i18n.global.t(key) : String(code)
}

/** A unit or region by its name in the reader's language, as far as the server told it. */
export function nameOf(thing: { name: string; name_en?: string | null } | null | undefined): string {
  if (!thing) return "–"
  return locale.value === "en" && thing.name_en ? thing.name_en : thing.name
}

/** Midnight-safe ISO string for a Beijing date and clock. */
export function beijing(date: string, clock = "00:00:00"): string {
  return `${date}T${clock.length === 5 ? `${clock}:00` : clock}+08:00`
}
