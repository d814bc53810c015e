import { defineStore } from "pinia"
import { computed, ref } from "vue"
import { onEvent, type NodeEvent } from "@/core/events/stream"
import { i18n, pick } from "@/core/i18n"
import { word } from "@/core/i18n/format"
import { queryClient } from "@/core/request/query"

export interface Notice {
  key: string
  text: string
  at: string
  to: string
}

export interface Job {
  id: number
  share: number
}

function text(body: Record<string, unknown>, key: string): string {
  const value = body[key]
  return typeof value === "string" || typeof value === "number" ? String(value) : ""
}

function stale(...keys: string[]): void {
  for (const key of keys) void queryClient.invalidateQueries({ queryKey: [key] })
}

/** What happened while the page was open, and which jobs run now. */
export const useNotices = defineStore("notices", () => {
  const notices = ref<Notice[]>([])
  const jobs = ref<Job[]>([])
  const seen = ref(0)
  const fresh = computed(() => Math.max(0, notices.value.length - seen.value))
  let serial = 0

  function add(words: string, to: string): void {
    if (notices.value[0]?.text === words) return
    serial += 1
    notices.value.unshift({ key: String(serial), text: words, at: new Date().toISOString(), to })
    notices.value.splice(50)
  }

  function markSeen(): void {
    seen.value = notices.value.length
  }

  function filing({ verb, body }: NodeEvent): void {
    const id = Number(body["id"] ?? body["filing_id"])
    const state = text(body, "state") || verb
    jobs.value = jobs.value.filter((job) => job.id !== id)
    if (state === "checking" || state === "accepting") jobs.value.push({ id, share: Number(body["progress"] ?? 0) })
    else {
      add(i18n.global.t("nav.notice.filing", { id, state: word("filing", state) }), `/inventory/filings/${String(id)}`)
      stale("filings", "filing", "overview", "cameras")
    }
  }

  function request({ verb, body }: NodeEvent): void {
    const id = text(body, "request_id") || text(body, "id")
    const number = text(body, "number") || id
    add(i18n.global.t("nav.notice.request", { number, state: word("request", text(body, "state") || verb) }), `/sharing/requests/${id}`)
    stale("requests", "request", "overview", "grants", "cameras")
  }

  function grant({ verb, body }: NodeEvent): void {
    const id = text(body, "grant_id") || text(body, "id")
    const number = text(body, "number") || id
    add(i18n.global.t("nav.notice.grant", { number, state: word("grant_event", verb) }), `/sharing/grants/${id}`)
    stale("grants", "grant", "overview", "cameras", "camera")
  }

  function session({ verb, body }: NodeEvent): void {
    const code = text(body, "code")
    if (verb !== "ended" || code === "closed" || code === "") return
    const reason = pick(body["reason"] as { zh: string; en: string } | string | null) || word("end", code)
    add(i18n.global.t("nav.notice.session", { reason }), "/live")
  }

  /** Called once by the frame; returns the way to stop. */
  function follow(): () => void {
    const stops = [
      onEvent("filing", filing),
      onEvent("request", request),
      onEvent("grant", grant),
      onEvent("session", session),
      onEvent("peer", () => {
        stale("peers", "overview")
      }),
      onEvent("upper", () => {
        stale("uppers")
      }),
      onEvent("alarm", () => {
        stale("alarms")
      }),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }

  return { notices, jobs, fresh, markSeen, follow }
})
