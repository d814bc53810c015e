import { onBeforeUnmount, ref } from "vue"
import type { Playing } from "@/core/api/types"

/** Where a recording stands: counted here between the answers of the node, which knows better. */
export function usePlayhead() {
  const seconds = ref(0)
  const scale = ref(1)
  const paused = ref(false)
  let running = false
  let last = 0

  const timer = setInterval(count, 250)
  onBeforeUnmount(() => {
    clearInterval(timer)
  })

  function count(): void {
    const now = performance.now()
    if (running && !paused.value) seconds.value = Math.max(0, seconds.value + ((now - last) / 1000) * scale.value)
    last = now
  }

  /** The picture moves, or stands because it is being fetched. */
  function run(yes: boolean): void {
    count()
    running = yes
  }

  function told(answer: Playing): void {
    count()
    seconds.value = answer.position
    scale.value = answer.scale
    paused.value = answer.paused
  }

  function reset(): void {
    running = false
    told({ position: 0, scale: 1, paused: false })
  }

  return { seconds, scale, paused, run, told, reset }
}
