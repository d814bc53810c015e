import { QueryClient } from "@tanstack/vue-query"
import { ApiProblem } from "./problem"

/** Only what may pass by itself is tried again: no network, or a service that says "temporarily". */
export function worthRetrying(failures: number, error: unknown): boolean {
  return failures < 4 && error instanceof ApiProblem && (error.status === 0 || error.status === 503)
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: worthRetrying,
      retryDelay: (attempt) => Math.min(1000 * 2 ** attempt, 8000),
      staleTime: 5_000,
      networkMode: "always",
    },
    mutations: { retry: false, networkMode: "always" },
  },
})
