// Before the tests: the command line tests run the bundle, so it must be what the sources say.
import './build.mjs'
export default () => {}
