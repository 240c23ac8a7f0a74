/** Bar charts as SVG. */

export interface BarGroup {
  readonly name: string
  readonly bars: readonly { readonly label: string; readonly value: number }[]
}

const COLORS = ['#4269d0', '#efb118', '#ff725c', '#6cc5b0', '#3ca951', '#a463f2', '#97bbf5', '#9c6b4e']
const HEIGHT = 300
const BAR = 18
const LEFT = 70

interface Panel {
  readonly width: number
  readonly height: number
  readonly body: string
}

/** Charts of groups of bars, one below the other; each has one axis, and its labels as a legend. */
export function barsSvg(charts: readonly { readonly title: string; readonly axis: string; readonly groups: readonly BarGroup[] }[]): string {
  const panels = charts.map(({ title, axis, groups }) => panelOf(title, axis, groups))
  let y = 0
  const parts = panels.map(({ height, body }) => {
    const part = `<g transform="translate(0 ${y})">\n${body}\n</g>`
    y += height
    return part
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.max(560, ...panels.map((one) => one.width))} ${y}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

function panelOf(title: string, axis: string, groups: readonly BarGroup[]): Panel {
  const labels = [...new Set(groups.flatMap((group) => group.bars.map((one) => one.label)))]
  const most = Math.max(1e-9, ...groups.flatMap((group) => group.bars.map((one) => one.value)))
  const step = niceStep(most)
  const top = Math.ceil(most / step) * step
  const groupWidth = labels.length * BAR + 24
  const width = LEFT + groups.length * groupWidth + 20
  const y = (value: number) => 40 + HEIGHT - (value / top) * HEIGHT
  const parts: string[] = []
  for (let value = 0; value <= top + step / 2; value += step)
    parts.push(
      `<line x1="${LEFT}" x2="${width - 10}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${escape(String(Number(value.toPrecision(6))))}</text>`,
    )
  groups.forEach((group, g) => {
    const x = LEFT + 12 + g * groupWidth
    group.bars.forEach((one) => {
      const k = labels.indexOf(one.label)
      parts.push(
        `<rect x="${x + k * BAR}" y="${y(one.value)}" width="${BAR - 2}" height="${Math.max(0, 40 + HEIGHT - y(one.value))}" fill="${COLORS[k % COLORS.length]}"><title>${escape(`${group.name}, ${one.label}: ${one.value}`)}</title></rect>`,
      )
    })
    parts.push(`<text x="${x + (labels.length * BAR) / 2}" y="${56 + HEIGHT}" text-anchor="middle">${escape(group.name)}</text>`)
  })
  labels.forEach((label, k) => {
    const at = 80 + HEIGHT + k * 18
    parts.push(`<rect x="${LEFT}" y="${at - 10}" width="12" height="12" fill="${COLORS[k % COLORS.length]}"/><text x="${LEFT + 18}" y="${at}">${escape(label)}</text>`)
  })
  const heading = `<text x="10" y="18" font-size="13" font-weight="bold">${escape(title)}</text>\n<text x="10" y="33" fill="#555">${escape(axis)}</text>`
  return { width, height: 90 + HEIGHT + labels.length * 18, body: `${heading}\n${parts.join('\n')}` }
}

function niceStep(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 4))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => most / step <= 5)!
}

const escape = (text: string) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
