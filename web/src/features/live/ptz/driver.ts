/** What a button or key asks of the camera while it is held. */
export interface Motion {
  pan?: -1 | 0 | 1
  tilt?: -1 | 0 | 1
  zoom?: -1 | 0 | 1
  focus?: -1 | 1
  iris?: -1 | 1
}

export interface PtzCommand {
  command: "move" | "stop" | "focus" | "iris"
  pan?: number
  tilt?: number
  zoom?: number
  focus?: number
  iris?: number
  speed?: number
}

/** The node stops a camera after 5 s of silence; it is told again well before. */
export const REFRESH = 2_000

export function commandOf(motion: Motion, speed: number): PtzCommand {
  if (motion.focus !== undefined) return { command: "focus", focus: motion.focus, speed }
  if (motion.iris !== undefined) return { command: "iris", iris: motion.iris, speed }
  const { pan = 0, tilt = 0, zoom = 0 } = motion
  return pan === 0 && tilt === 0 && zoom === 0 ? { command: "stop" } : { command: "move", pan, tilt, zoom, speed }
}

/** A lens has a stop of its own; the other stop would leave it turning. */
export function haltOf(motion: Motion): PtzCommand {
  if (motion.focus !== undefined) return { command: "focus", focus: 0 }
  if (motion.iris !== undefined) return { command: "iris", iris: 0 }
  return { command: "stop" }
}

interface Order {
  command: PtzCommand
  halt: boolean
}

/**
 * Keeps a camera moving while something is held, and stops it for certain: commands go out one after the other, a
 * halt is never overtaken and never left out, and a motion that waits gives way to what comes after it.
 */
export class PtzDriver {
  private motion: Motion | null = null
  private timer: ReturnType<typeof setInterval> | undefined
  private orders: Order[] = []
  private busy = false

  private readonly send: (command: PtzCommand) => Promise<unknown>
  private readonly speed: () => number
  private readonly failed: (error: unknown) => boolean

  /** `failed` hears why a command did not go through, and says whether the camera may have moved all the same. */
  constructor(send: (command: PtzCommand) => Promise<unknown>, speed: () => number, failed: (error: unknown) => boolean) {
    this.send = send
    this.speed = speed
    this.failed = failed
  }

  get moving(): boolean {
    return this.motion !== null
  }

  /** Begins a motion or changes it. */
  start(motion: Motion): void {
    if (JSON.stringify(motion) === JSON.stringify(this.motion)) return
    // Head and lens stop each for themselves.
    if (this.motion !== null && haltOf(this.motion).command !== haltOf(motion).command) this.stop()
    this.motion = motion
    clearInterval(this.timer)
    this.timer = setInterval(() => {
      // What has not been answered yet is not asked a second time.
      if (!this.busy) this.move()
    }, REFRESH)
    this.move()
  }

  stop(): void {
    if (this.motion === null) return
    this.halt(this.rest())
  }

  private move(): void {
    if (this.motion !== null) this.put({ command: commandOf(this.motion, this.speed()), halt: false })
  }

  private halt(motion: Motion | null): void {
    if (motion !== null) this.put({ command: haltOf(motion), halt: true })
  }

  /** Forgets what is held; what it was. */
  private rest(): Motion | null {
    const motion = this.motion
    this.motion = null
    clearInterval(this.timer)
    return motion
  }

  private put(order: Order): void {
    this.orders = [...this.orders.filter((older) => older.halt), order]
    if (!this.busy) void this.drain()
  }

  private async drain(): Promise<void> {
    this.busy = true
    for (let order = this.orders.shift(); order !== undefined; order = this.orders.shift()) {
      try {
        await this.send(order.command)
      } catch (error) {
        const motion = this.rest()
        this.orders = this.orders.filter((later) => later.halt)
        // Nobody knows whether it moved: it is stopped. A halt that failed is left to the node, which stops by itself.
        if (this.failed(error) && !order.halt) this.halt(motion)
      }
    }
    this.busy = false
  }
}

const ARROWS: Record<string, Motion> = {
  ArrowLeft: { pan: -1 },
  ArrowRight: { pan: 1 },
  ArrowUp: { tilt: 1 },
  ArrowDown: { tilt: -1 },
  "+": { zoom: 1 },
  "=": { zoom: 1 },
  "-": { zoom: -1 },
  _: { zoom: -1 },
}

export function isMotionKey(key: string): boolean {
  return key in ARROWS
}

/** All keys that are down, as one motion: two arrows make a diagonal, opposite ones nothing. */
export function motionOf(keys: ReadonlySet<string>): Motion | null {
  const sum = { pan: 0, tilt: 0, zoom: 0 }
  for (const key of keys) {
    const part = ARROWS[key]
    if (part === undefined) continue
    sum.pan += part.pan ?? 0
    sum.tilt += part.tilt ?? 0
    sum.zoom += part.zoom ?? 0
  }
  const sign = (value: number): -1 | 0 | 1 => (value > 0 ? 1 : value < 0 ? -1 : 0)
  const motion = { pan: sign(sum.pan), tilt: sign(sum.tilt), zoom: sign(sum.zoom) }
  return motion.pan === 0 && motion.tilt === 0 && motion.zoom === 0 ? null : motion
}
