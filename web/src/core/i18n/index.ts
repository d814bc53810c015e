import { ref } from "vue"
import { createI18n } from "vue-i18n"

export type Locale = "zh-CN" | "en"

interface Messages {
  [key: string]: string | Messages
}

const files = import.meta.glob<{ default: Messages }>("../../locales/*/*.json", { eager: true })

function collect(): Record<Locale, Messages> {
  const all: Record<Locale, Messages> = { "zh-CN": {}, en: {} }
  for (const [path, module] of Object.entries(files)) {
    const match = /locales\/([^/]+)\/([^/]+)\.json$/.exec(path)
    if (match?.[1] !== undefined && match[2] !== undefined) all[match[1] as Locale][match[2]] = module.default
  }
  return all
}

const STORED = "gongshi.language"

function initial(): Locale {
  const stored = localStorage.getItem(STORED)
  return stored === "en" || stored === "zh-CN" ? stored : "zh-CN"
}

export const i18n = createI18n({
  legacy: false,
  locale: initial(),
  fallbackLocale: "zh-CN",
  messages: collect(),
})

export const locale = ref<Locale>(initial())

export function currentLanguage(): Locale {
  return locale.value
}

/** Switches every text at once; what the server worded is fetched again by whoever watches `locale`. */
export function setLanguage(next: Locale): void {
  locale.value = next
  i18n.global.locale.value = next
  localStorage.setItem(STORED, next)
  document.cookie = `gongshi_lang=${next === "en" ? "en" : "zh"}; path=/; max-age=31536000; samesite=strict`
  document.documentElement.lang = next
}

/** Picks from a text that carries both languages. */
export function pick(text: { zh: string; en: string } | string | null | undefined): string {
  if (text === null || text === undefined) return ""
  if (typeof text === "string") return text
  return locale.value === "en" ? text.en : text.zh
}
