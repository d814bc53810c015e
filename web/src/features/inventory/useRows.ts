import { computed, ref, watch, type Ref } from "vue"
import { usePages } from "@/core/paging/usePages"
import { listRows } from "./api"

/** No form row lies further than this many pages away from the top of what is loaded. */
const MOST_PAGES = 200

export type SheetName = "platform" | "camera"

/** Where a finding points in the file. */
export interface CellPlace {
  sheet: SheetName
  tab: string | null
  row: number
  column: string | null
}

/** The rows of one sheet, loaded as they are needed, and the way to a certain row. */
export function useRows(id: Ref<number>, sheet: Ref<SheetName>, onlyBad: Ref<boolean>) {
  const rows = usePages(
    computed(() => ["filing", id.value, "rows", sheet.value, onlyBad.value]),
    (cursor) => listRows(id.value, { sheet: sheet.value, ...(onlyBad.value ? { verdict: "error" as const } : {}) }, cursor),
  )
  const seeking = ref(false)

  /** Loads until the row is there; its index, or -1. */
  async function seek(place: CellPlace): Promise<number> {
    seeking.value = true
    try {
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const index = rows.items.value.findIndex((item) => item.row === place.row && item.tab === place.tab)
        if (index >= 0 || !rows.hasMore.value) return index
        await rows.more()
      }
      return -1
    } finally {
      seeking.value = false
    }
  }

  watch([id, sheet], () => {
    seeking.value = false
  })

  return { ...rows, seek, seeking }
}
