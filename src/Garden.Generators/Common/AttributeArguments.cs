using System.Globalization;
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
            if (argument.Value.Kind == TypedConstantKind.Error)
                return null;
            if (argument.Value.Value is { } value)
                arguments._values[argument.Key] = value;
        }

        return arguments;
    }

    /// <summary>A number or an enumeration's value; null when it is not given.</summary>
    public int? Number(string name) =>
        _values.TryGetValue(name, out object? value) ? Convert.ToInt32(value, CultureInfo.InvariantCulture) : null;

    /// <summary>A text; null when it is not given.</summary>
    public string? Text(string name) => _values.TryGetValue(name, out object? value) ? (string)value : null;

    /// <summary>A switch; false when it is not given.</summary>
    public bool Flag(string name) => _values.TryGetValue(name, out object? value) && (bool)value;
}
