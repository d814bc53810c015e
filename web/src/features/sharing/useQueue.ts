import { computed, onBeforeUnmount, onMounted, type Ref } from "vue"
import { useI18n } from "vue-i18n"
import { useRouter } from "vue-router"
import { useObject } from "@/core/paging/useObject"
import { listRequests } from "./api"

/** A decider goes through the waiting requests by keyboard: `j` the next, `k` the one before. */
export function useQueue(id: Ref<number>, active: Ref<boolean>) {
  const { t } = useI18n()
  const router = useRouter()
  const waiting = useObject(["requests", "queue"], () => listRequests({ todo: true }), { enabled: active })
  const ids = computed(() => (waiting.data.value?.items ?? []).map((request) => request.id))
  const index = computed(() => ids.value.indexOf(id.value))

  function at(step: number): number | null {
    const others = ids.value.filter((item) => item !== id.value)
    if (others.length === 0) return null
    return ids.value[index.value + step] ?? (step > 0 ? (others[0] ?? null) : null)
  }
  const next = computed(() => at(1))
  const position = computed(() =>
    active.value && index.value >= 0 ? t("sharing.queue", { n: index.value + 1, of: ids.value.length }) : "",
  )

  function onKey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement
    if (target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return
    const to = event.key === "j" ? at(1) : event.key === "k" ? at(-1) : null
    if (to !== null) void router.push(`/sharing/requests/${String(to)}`)
  }
  onMounted(() => {
    document.addEventListener("keydown", onKey)
  })
  onBeforeUnmount(() => {
    document.removeEventListener("keydown", onKey)
  })
  return { next, position }
}
