namespace Garden.Interop.Verbs;

/// <summary>How far the registration of a large region is.</summary>
/// <param name="Bytes">Bytes whose pages are present.</param>
/// <param name="Total">Bytes of the region.</param>
public readonly record struct RegistrationProgress(long Bytes, long Total);
