import { computed, ref, type Ref } from "vue"

/** Which rows of a long list stand in the viewport. Rows have one height, in pixels. */
export function windowOf(scrollTop: number, height: number, rowHeight: number, count: number, spare = 8) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare)
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + spare)
  return { first: Math.min(first, last), last, before: Math.min(first, last) * rowHeight, after: (count - last) * rowHeight }
}

export function useWindow<T>(rows: Ref<T[]>, rowHeight: number, viewport: Readonly<Ref<HTMLElement | null>>) {
  const scrollTop = ref(0)
  const height = ref(600)

  function measure(): void {
    if (viewport.value === null) return
    scrollTop.value = viewport.value.scrollTop
    height.value = viewport.value.clientHeight
  }

  const range = computed(() => windowOf(scrollTop.value, height.value, rowHeight, rows.value.length))
  const visible = computed(() => rows.value.slice(range.value.first, range.value.last))
  const nearEnd = computed(() => range.value.last >= rows.value.length - 20)

  function reveal(index: number): void {
    if (viewport.value === null) return
    const top = index * rowHeight
    if (top < viewport.value.scrollTop + rowHeight * 2 || top > viewport.value.scrollTop + height.value - rowHeight * 3) {
      viewport.value.scrollTop = Math.max(0, top - height.value / 2)
    }
    measure()
  }

  return { range, visible, nearEnd, measure, reveal }
}
