import { ref, watch, type Ref } from "vue"
import type { CameraLike } from "@/core/api/types"
import { getCamera } from "@/core/cameras/api"
import { recall, remember } from "@/core/cameras/basket"
import { useUrlState } from "@/core/paging/useUrlState"
import { failed } from "@/core/ui"

/** A link may name many cameras; they are asked for in small groups. */
const AT_ONCE = 6

/** The chosen cameras live in the address, so that lists, maps and links can all hand them over. */
export function useChosenCameras(): {
  cameras: Ref<CameraLike[]>
  loading: Ref<boolean>
  add: (cameras: CameraLike[]) => void
  remove: (code: string) => void
} {
  const url = useUrlState()
  const cameras = ref<CameraLike[]>([])
  const loading = ref(false)

  function codes(): string[] {
    return url.get("cameras").split(",").filter((code) => /^\d{20}$/.test(code))
  }

  async function load(): Promise<void> {
    const wanted = codes()
    const known = new Map(cameras.value.map((camera) => [camera.code, camera]))
    for (const code of wanted) {
      const camera = recall(code)
      if (camera !== undefined) known.set(code, camera)
    }
    const unknown = wanted.filter((code) => !known.has(code))
    loading.value = unknown.length > 0
    for (let i = 0; i < unknown.length; i += AT_ONCE) {
      const results = await Promise.allSettled(unknown.slice(i, i + AT_ONCE).map((code) => getCamera(code)))
      for (const result of results) {
        if (result.status === "fulfilled") known.set(result.value.code, result.value)
        else failed(result.reason)
      }
    }
    cameras.value = wanted.flatMap((code) => known.get(code) ?? [])
    loading.value = false
  }
  watch(() => url.get("cameras"), load, { immediate: true })

  function put(list: string[]): void {
    url.set({ cameras: list.length === 0 ? null : list.join(",") })
  }

  return {
    cameras,
    loading,
    add: (more) => {
      const fresh = more.filter((camera) => !cameras.value.some((old) => old.code === camera.code))
      remember(fresh)
      cameras.value = [...cameras.value, ...fresh]
      put(cameras.value.map((camera) => camera.code))
    },
    remove: (code) => {
      put(codes().filter((item) => item !== code))
    },
  }
}
