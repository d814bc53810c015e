import { computed, type WritableComputedRef } from "vue"
import { useRoute, useRouter } from "vue-router"

/** Keeps a page's state in its address, so that a link shows the same view. */
export function useUrlState() {
  const route = useRoute()
  const router = useRouter()

  function get(name: string): string {
    const value = route.query[name]
    return typeof value === "string" ? value : ""
  }

  function set(changes: Record<string, string | null>): void {
    const merged = Object.entries({ ...route.query, ...changes })
    void router.replace({ query: Object.fromEntries(merged.filter(([, value]) => typeof value === "string" && value !== "")) })
  }

  function field(name: string, fallback = ""): WritableComputedRef<string> {
    return computed({
      get: () => get(name) || fallback,
      set: (value) => {
        set({ [name]: value === fallback ? null : value })
      },
    })
  }

  return { get, set, field }
}
