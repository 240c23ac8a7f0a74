import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Recorded counterexamples are run again before anything else. */
class TracesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isTraces = (file: TestSpecification) => file.moduleId.endsWith('traces.test.ts')
    return [...sorted.filter(isTraces), ...sorted.filter((file) => !isTraces(file))]
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'properties/**/*.test.ts'],
    globalSetup: ['scripts/testSetup.mjs'],
    setupFiles: [
      ...(process.env.XMCHECK_EXECUTED === undefined ? [] : ['test/cpu/noteExecuted.ts']),
      ...(process.env.XMCHECK_SPOIL === undefined ? [] : ['test/cpu/spoilRow.ts']),
    ],
    testTimeout: 60_000,
    // By itself vitest leaves one of two cores alone.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: TracesFirst },
  },
})
