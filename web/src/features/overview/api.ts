import type { Overview } from "@/core/api/types"
import { api, unwrap } from "@/core/request/http"

export function getOverview(signal?: AbortSignal): Promise<Overview> {
  return unwrap(api.GET("/api/v1/statistics/overview", { signal }))
}
