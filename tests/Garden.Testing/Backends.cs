namespace Garden.Testing;

/// <summary>Backends that a machine may lack. Their tests skip with a reason, unless <c>GARDEN_REQUIRE</c> (names, comma separated) says that they must run.</summary>
public static class Backends
{
    private const string Variable = "GARDEN_REQUIRE";

    /// <summary>True when the environment demands a backend.</summary>
    public static bool IsRequired(string name) =>
        (Environment.GetEnvironmentVariable(Variable) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Contains(name, StringComparer.Ordinal);

    /// <summary>Skips the running test when a backend is missing, or fails it when it is required.</summary>
    /// <param name="name">The backend's name in <c>GARDEN_REQUIRE</c>.</param>
    /// <param name="missing">Why it is missing and what to do about it; null when it is there.</param>
    public static void SkipUnless(string name, string? missing)
    {
        if (missing is null)
            return;
        if (IsRequired(name))
            Assert.Fail($"{Variable} demands {name}, but: {missing}");
        Assert.Skip($"{name}: {missing}");
    }

    /// <summary>As <see cref="SkipUnless"/>, for a backend that one command installs.</summary>
    public static void Require(string name, bool isPresent, string install) =>
        SkipUnless(name, isPresent ? null : $"it is not here; to run this test: {install}");
}
