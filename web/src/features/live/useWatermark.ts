import { computed, type ComputedRef } from "vue"
import { useMe } from "@/core/session/me"

/** Who looks, for which unit and by which grant: what stands over every picture. */
export function useWatermark(grant: () => string): ComputedRef<string[]> {
  const me = useMe()
  return computed(() => {
    const lines = [me.unitName, me.me?.display_name ?? ""]
    return [`${lines.join(" ")}`.trim(), grant()].filter((line) => line !== "")
  })
}
