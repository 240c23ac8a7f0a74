/** Counts by group, and a table of them. */
export class Scores {
  readonly #groups = new Map<string, { good: number; all: number }>()

  add(group: string, good: boolean): void {
    const score = this.#groups.get(group) ?? { good: 0, all: 0 }
    this.#groups.set(group, score)
    score.all++
    if (good) score.good++
  }

  get total(): number {
    return [...this.#groups.values()].reduce((sum, { all }) => sum + all, 0)
  }

  table(): string {
    const lines = [...this.#groups].sort(([a], [b]) => (a < b ? -1 : 1))
    const good = lines.reduce((sum, [, score]) => sum + score.good, 0)
    return [...lines, ['all', { good, all: this.total }] as const]
      .map(([group, score]) => `  ${group.padEnd(20)} ${String(score.good).padStart(8)} of ${String(score.all).padStart(8)}  ${percent(score.good / score.all)}`)
      .join('\n')
  }
}

/** Never 100 % where something is missing. */
function percent(part: number): string {
  return part === 1 ? '100 %' : `${(Math.floor(part * 10_000) / 100).toFixed(2)} %`
}
