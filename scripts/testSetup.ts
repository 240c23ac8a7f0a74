// Before the tests: the command line tests run the bundle, the others the modules, so both must be what the sources say.
import './build.mjs'
import { compileModules } from './testModules.ts'
import type { TestProject } from 'vitest/node'

export default async (project: TestProject): Promise<void> => {
  await compileModules()
  project.onTestsRerun(compileModules)
}
