/** Tables and charts for the terminal. */

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ').trimEnd()).join('\n')
}

/** 1234567 as `1 234 567`; fractions to two digits where the number is small. */
export function formatCount(value: number): string {
  if (!Number.isInteger(value) && Math.abs(value) < 1000) return value.toFixed(2)
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ')
}

/** Counts as a row of bars of eight heights; a blank where there is none. */
export function sparkline(counts: readonly number[]): string {
  const most = Math.max(...counts)
  return counts.map((count) => (count === 0 ? ' ' : '▁▂▃▄▅▆▇█'[Math.min(7, Math.floor((count / most) * 8))])).join('')
}

/** One bar of at most `width` characters, in eighths. */
export function bar(value: number, most: number, width: number): string {
  const eighths = most <= 0 ? 0 : Math.round((value / most) * width * 8)
  return '█'.repeat(eighths >> 3) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths & 7]
}
