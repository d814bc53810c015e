import { onBeforeUnmount } from "vue"
import { onEvent, type EventBodies, type EventName } from "./stream"

/** Listens as long as the component lives. */
export function useEvent<N extends EventName>(name: N, listener: (body: EventBodies[N]) => void): void {
  const stop = onEvent(name, listener)
  onBeforeUnmount(stop)
}
