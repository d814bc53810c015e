/** Tiles the lines over the canvas at a slant: light text with a dark edge, so that it shows on any picture. */
export function drawWatermark(canvas: HTMLCanvasElement, lines: string[]): void {
  const { clientWidth: width, clientHeight: height } = canvas
  const context = canvas.getContext("2d")
  if (context === null || width === 0 || height === 0) return
  const scale = globalThis.devicePixelRatio || 1
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale)
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale)
  context.setTransform(scale, 0, 0, scale, 0, 0)
  context.clearRect(0, 0, width, height)
  const size = Math.max(11, Math.min(17, width / 52))
  context.font = `500 ${String(size)}px "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif`
  context.textBaseline = "middle"
  const widest = Math.max(...lines.map((line) => context.measureText(line).width))
  const stepX = widest + size * 5
  const stepY = size * (lines.length * 1.45 + 6)
  context.translate(width / 2, height / 2)
  context.rotate(-Math.PI / 10)
  const reach = Math.hypot(width, height) / 2
  for (let y = -reach, row = 0; y < reach + stepY; y += stepY, row += 1) {
    for (let x = -reach - (row % 2) * (stepX / 2); x < reach; x += stepX) {
      lines.forEach((line, index) => {
        const at = y + index * size * 1.45
        context.strokeStyle = "rgb(0 0 0 / 28%)"
        context.lineWidth = 2
        context.strokeText(line, x, at)
        context.fillStyle = "rgb(255 255 255 / 40%)"
        context.fillText(line, x, at)
      })
    }
  }
}
