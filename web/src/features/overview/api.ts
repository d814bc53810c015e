import type { Overview } from "@/core/api/types"
import { http } from "@/core/request/http"

export const getOverview = (signal?: AbortSignal): Promise<Overview> => http.get("/statistics/overview", undefined, signal)
