/** The parts of a 20-digit device code (GB/T 28181-2022 Annex E): how people read it. */
export const SEGMENTS = [
  { key: "region", from: 0, to: 6 },
  { key: "unit", from: 6, to: 8 },
  { key: "industry", from: 8, to: 10 },
  { key: "type", from: 10, to: 13 },
  { key: "network", from: 13, to: 14 },
  { key: "serial", from: 14, to: 20 },
] as const

export function splitCode(code: string): { key: string; value: string }[] {
  if (!/^\d{20}$/.test(code)) return [{ key: "whole", value: code }]
  return SEGMENTS.map(({ key, from, to }) => ({ key, value: code.slice(from, to) }))
}
