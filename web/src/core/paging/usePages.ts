import { useInfiniteQuery } from "@tanstack/vue-query"
import { computed, toValue, type MaybeRefOrGetter } from "vue"
import type { Page } from "@/core/api/types"
import { locale } from "@/core/i18n"
import { asProblem } from "@/core/request/problem"

/** One list: pages by cursor, joined. States are loading, empty, ready, more and failed. */
export function usePages<P extends Page<unknown>>(
  key: MaybeRefOrGetter<readonly unknown[]>,
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<P>,
  options: { enabled?: MaybeRefOrGetter<boolean>; refresh?: number } = {},
) {
  const query = useInfiniteQuery({
    queryKey: computed(() => [...toValue(key), locale.value]),
    queryFn: ({ pageParam, signal }) => load(pageParam === "" ? undefined : pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (last: P) => last.next_cursor ?? undefined,
    enabled: computed(() => toValue(options.enabled ?? true)),
    ...(options.refresh ? { refetchInterval: options.refresh } : {}),
  })
  const items = computed<P["items"]>(() => query.data.value?.pages.flatMap((page) => page.items) ?? [])
  const first = computed<P | undefined>(() => query.data.value?.pages[0])
  const total = computed(() => first.value?.total ?? null)
  return {
    items,
    first,
    total,
    loading: computed(() => query.isPending.value && query.fetchStatus.value === "fetching"),
    refreshing: computed(() => query.isFetching.value && !query.isPending.value),
    problem: computed(() => (query.error.value === null ? null : asProblem(query.error.value))),
    hasMore: computed(() => query.hasNextPage.value),
    loadingMore: computed(() => query.isFetchingNextPage.value),
    more: () => query.fetchNextPage(),
    refetch: () => query.refetch(),
  }
}
