import { onBeforeUnmount } from "vue"
import { onEvent, type EventKind, type NodeEvent } from "./stream"

/** Listens as long as the component lives. */
export function useEvent(kind: EventKind, listener: (event: NodeEvent) => void): void {
  const stop = onEvent(kind, listener)
  onBeforeUnmount(stop)
}
