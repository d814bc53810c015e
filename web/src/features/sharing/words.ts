import type { DailyHours } from "@/core/api/types"
import { i18n } from "@/core/i18n"
import { word } from "@/core/i18n/format"

export function hoursWords(hours: DailyHours | null): string {
  const { t } = i18n.global
  if (hours === null) return t("sharing.allDay")
  const days = hours.days.length === 7 ? t("sharing.everyDay") : hours.days.map((day) => word("weekday", day)).join(" ")
  return `${days} ${hours.from}–${hours.to}`
}
