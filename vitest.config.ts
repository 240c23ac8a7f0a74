import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { testModules } from './scripts/testModules.ts'

/** Recorded counterexamples are run again before anything else. */
class TracesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isTraces = (file: TestSpecification) => file.moduleId.endsWith('traces.test.ts')
    return [...sorted.filter(isTraces), ...sorted.filter((file) => !isTraces(file))]
  }
}

/** What runs before each file of tests: it changes what they share. */
const setupFiles = [
  ...(process.env.XMCHECK_EXECUTED === undefined ? [] : ['test/cpu/noteExecuted.ts']),
  ...(process.env.XMCHECK_SPOIL === undefined ? [] : ['test/cpu/spoilRow.ts']),
]

export default defineConfig({
  plugins: [testModules],
  test: {
    include: ['test/**/*.test.ts', 'properties/**/*.test.ts'],
    globalSetup: ['scripts/testSetup.ts'],
    setupFiles,
    // Files share no state that they change, so a worker loads and compiles the sources once for all of its files.
    isolate: setupFiles.length > 0,
    execArgv: ['--enable-source-maps'],
    testTimeout: 60_000,
    // By itself vitest leaves one of two cores alone.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: TracesFirst },
  },
})
