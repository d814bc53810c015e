import { useQuery } from "@tanstack/vue-query"
import { computed, toValue, type MaybeRefOrGetter } from "vue"
import { locale } from "@/core/i18n"
import { asProblem } from "@/core/request/problem"

/** One object of the API, fetched again when the language changes because the server words parts of it. */
export function useObject<T>(
  key: MaybeRefOrGetter<readonly unknown[]>,
  load: (signal: AbortSignal) => Promise<T>,
  options: { enabled?: MaybeRefOrGetter<boolean>; refresh?: (data: T | undefined) => number | false } = {},
) {
  const query = useQuery({
    queryKey: computed(() => [...toValue(key), locale.value]),
    queryFn: ({ signal }) => load(signal),
    enabled: computed(() => toValue(options.enabled ?? true)),
    refetchInterval: (q) => options.refresh?.(q.state.data as T | undefined) ?? false,
  })
  return {
    data: computed(() => query.data.value as T | undefined),
    loading: computed(() => query.isPending.value && query.fetchStatus.value === "fetching"),
    problem: computed(() => (query.error.value === null ? null : asProblem(query.error.value))),
    updatedAt: query.dataUpdatedAt,
    refetch: () => query.refetch(),
  }
}
