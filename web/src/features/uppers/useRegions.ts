import { computed } from "vue"
import { listRegions } from "@/core/cameras/api"
import { useObject } from "@/core/paging/useObject"

/** All regions, for names and for choosing what is opened to an upper platform. */
export function useRegions() {
  const regions = useObject(["regions"], listRegions)
  const options = computed(() => (regions.data.value ?? []).filter((region) => region.usable))

  function regionName(code: string | null): string {
    return options.value.find((region) => region.code === code)?.name ?? code ?? "–"
  }

  return { options, regionName }
}
