import type { Section } from "@/core/api/types"
import { i18n } from "@/core/i18n"
import { formatTime, word } from "@/core/i18n/format"

export interface Fact {
  key: string
  /** The server's own label, when it sent one. */
  label?: string
  text: string
}

const TIME = /^\d{4}-\d\d-\d\dT/
const CODED: Record<string, string> = { status: "channel", state: "peer", sharing_class: "sharing_class" }

function shown(key: string, value: unknown): string {
  const { t } = i18n.global
  if (value === null || value === undefined || value === "") return ""
  if (typeof value === "boolean") return value ? t("common.yes") : t("common.no")
  if (typeof value === "string") {
    if (TIME.test(value)) return formatTime(value)
    return CODED[key] === undefined ? value : word(CODED[key], value)
  }
  if (typeof value === "number") return String(value)
  if (Array.isArray(value)) return value.map((item) => shown(key, item)).filter((item) => item !== "").join(", ")
  const named = value as Record<string, unknown>
  return typeof named["name"] === "string" ? named["name"] : ""
}

/** A section is either a list of labelled fields or plain keys that our own words explain. */
export function sectionFacts(section: Section | null | undefined): Fact[] {
  if (section === null || section === undefined) return []
  const { fields } = section
  if (Array.isArray(fields)) {
    return (fields as { key: string; label: string; value: unknown; display?: string | null }[])
      .map((field) => ({ key: field.key, label: field.label, text: field.display ?? shown(field.key, field.value) }))
      .filter((fact) => fact.text !== "")
  }
  return Object.entries(section)
    .filter(([key]) => i18n.global.te(`camera.fact.${key}`, "zh-CN"))
    .map(([key, value]) => ({ key, text: shown(key, value) }))
    .filter((fact) => fact.text !== "")
}
