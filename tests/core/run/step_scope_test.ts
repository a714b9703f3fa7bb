import assert from "node:assert/strict";
import process from "node:process";
import { AsyncScope } from "../../../core/run/step_scope.ts";

Deno.test("AsyncScope.get() follows concurrent code through its awaits, and ends with the code", async () => {
  const scope = new AsyncScope<string>();
  const seen = await Promise.all(["a", "b"].map((value) =>
    scope.run(value, async () => {
      const before = scope.get();
      await new Promise<void>((resolve) => setTimeout(resolve));
      return [before, scope.run("inner", () => scope.get()), scope.get()];
    })
  ));
  assert.deepEqual(seen, [["a", "inner", "a"], ["b", "inner", "b"]]);
  assert.equal(scope.get(), undefined);
});

Deno.test("AsyncScope.get() works until the first await in a runtime without async context", async () => {
  const { getBuiltinModule } = process;
  Reflect.set(process, "getBuiltinModule", undefined);
  const scope = new AsyncScope<string>();
  Reflect.set(process, "getBuiltinModule", getBuiltinModule);
  const later = scope.run("a", async () => {
    assert.deepEqual([scope.get(), scope.run("inner", () => scope.get()), scope.get()], ["a", "inner", "a"]);
    await Promise.resolve();
    return scope.get();
  });
  assert.equal(scope.get(), undefined);
  assert.equal(await later, undefined);
  assert.throws(() => scope.run("a", () => assert.fail("no")));
  assert.equal(scope.get(), undefined);
});
