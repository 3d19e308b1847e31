using Microsoft.CodeAnalysis;

namespace Garden.Generators;

/// <summary>The named arguments of an attribute as they are written.</summary>
internal sealed class AttributeArguments
{
    private readonly Dictionary<string, object> _values = [];

    private AttributeArguments()
    {
    }

    /// <summary>Reads them; null when one does not compile, which is the compiler's to report.</summary>
    public static AttributeArguments? Read(AttributeData attribute)
    {
        var arguments = new AttributeArguments();
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            if (argument.Value.Kind is TypedConstantKind.Error or TypedConstantKind.Array)
                return null;
            if (argument.Value.Value is { } value)
                arguments._values[argument.Key] = value;
        }

        return arguments;
    }

    /// <summary>A number or an enumeration's value; null when it is not given.</summary>
    public int? Number(string name) => Value(name) switch
    {
        int value => value,
        byte value => value,
        _ => null,
    };

    /// <summary>A text; null when it is not given.</summary>
    public string? Text(string name) => Value(name) as string;

    /// <summary>A switch; false when it is not given.</summary>
    public bool Flag(string name) => Value(name) is true;

    private object? Value(string name) => _values.TryGetValue(name, out object? value) ? value : null;
}
